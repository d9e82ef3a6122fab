"""An OTLP receiver in this process, for those who have no collector: HTTP (protobuf and JSON) and gRPC.

What arrives goes into a folder just as the collector's file exporter writes it, so it is read like any other
tee (`signals/tee.py`), also by other processes. It forwards nothing and knows no checks.
"""

from tracewright.receiver.receiver import Address, OtlpReceiver, PortTaken

__all__ = ["Address", "OtlpReceiver", "PortTaken"]
