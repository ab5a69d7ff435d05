package uart

const ringSize = 4096 // bytes; a power of two

// ring is a queue of bytes. The zero ring is empty.
type ring struct {
	buf        [ringSize]byte
	head, tail uint32 // bytes ever put in and taken out, modulo 2^32
}

func (r *ring) len() int   { return int(r.head - r.tail) }
func (r *ring) full() bool { return r.len() == ringSize }

// put appends what fits of p and returns how much that is.
func (r *ring) put(p []byte) int {
	n := min(len(p), ringSize-r.len())
	for _, c := range p[:n] {
		r.buf[r.head%ringSize] = c
		r.head++
	}
	return n
}

// get takes out the oldest byte. The ring must not be empty.
func (r *ring) get() byte {
	c := r.buf[r.tail%ringSize]
	r.tail++
	return c
}
