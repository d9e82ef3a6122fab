package recording

import (
	"bytes"
	"sync"
)

// Buffer is a bytes.Buffer that one goroutine may fill while another reads what is there.
type Buffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer // guarded by mu
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String is all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
