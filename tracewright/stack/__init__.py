"""The launcher: builds, starts, watches and stops one native stack.

```python
async with Stack(StackOptions(name="test", free_ports=True, tee=True, fast_flush=True)) as stack:
    drive(stack.endpoints)
    await stack.kill("store")
    await stack.start_component("store")
```
"""

from tracewright.stack.component import Component, ComponentState, StackEvent
from tracewright.stack.errors import StackError
from tracewright.stack.stack import Stack, StackOptions

__all__ = ["Component", "ComponentState", "Stack", "StackError", "StackEvent", "StackOptions"]
