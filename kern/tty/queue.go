package tty

// The two buffers of a terminal. Both have a fixed size.

const (
	inSize  = 4096 // input; at most 4095 bytes of an unfinished line
	outSize = 8192 // output

	// Writers fill the output buffer up to outLimit, in steps of at most
	// writeStep bytes, each of which may become maxOut. What one step needs
	// beyond the limit is kept free of echoes, which end at echoLimit.
	outLimit  = 4096
	writeStep = 256
	maxOut    = 8 // a tab
	echoLimit = outSize - writeStep*maxOut

	// Writers that wait go on below lowOut, and poll says so.
	lowOut = outLimit / 2
)

// An inQueue holds input: first finished lines, then the line that is being
// edited. Without line editing all of it is the second part. Positions count
// bytes ever seen, modulo 2^32.
type inQueue struct {
	buf  [inSize]byte
	ends [inSize / 64]uint64 // the byte is the last of a line
	// tail is the next byte to read, canon the begin of the line being
	// edited, head the next byte to come: tail <= canon <= head.
	tail, canon, head uint32
}

func (q *inQueue) len() int         { return int(q.head - q.tail) }
func (q *inQueue) at(i uint32) byte { return q.buf[i%inSize] }

// put appends a byte; it is lost if the queue is full.
func (q *inQueue) put(c byte) {
	if q.len() < inSize {
		q.buf[q.head%inSize] = c
		q.setEnd(q.head, false)
		q.head++
	}
}

// putEnd appends a byte that ends the line. If the queue is full, it takes the
// place of the last byte.
func (q *inQueue) putEnd(c byte) {
	if q.len() == inSize {
		q.head--
	}
	q.put(c)
	q.setEnd(q.head-1, true)
	q.canon = q.head
}

func (q *inQueue) isEnd(i uint32) bool {
	i %= inSize
	return q.ends[i/64]>>(i%64)&1 != 0
}

func (q *inQueue) setEnd(i uint32, end bool) {
	i %= inSize
	if end {
		q.ends[i/64] |= 1 << (i % 64)
	} else {
		q.ends[i/64] &^= 1 << (i % 64)
	}
}

// isEOF reports whether i is the end of a file: a line's end without content.
func (q *inQueue) isEOF(i uint32) bool { return q.isEnd(i) && q.at(i) == disabled }

// edited reports whether the line being edited has any bytes.
func (q *inQueue) edited() bool { return q.head != q.canon }

func (q *inQueue) reset() { q.tail, q.canon, q.head = 0, 0, 0; clear(q.ends[:]) }

// readLine moves bytes of the first line to dst. An end of file is taken out,
// and not shown; so is one that follows when dst is full.
func (q *inQueue) readLine(dst []byte) (n int) {
	for n < len(dst) && q.tail != q.canon {
		end, eof := q.isEnd(q.tail), q.isEOF(q.tail)
		if !eof {
			dst[n] = q.at(q.tail)
			n++
		}
		q.tail++
		if end {
			return n
		}
	}
	if q.tail != q.canon && q.isEOF(q.tail) {
		q.tail++
	}
	return n
}

// readBytes moves bytes to dst, wherever lines end.
func (q *inQueue) readBytes(dst []byte) (n int) {
	for n < len(dst) && q.tail != q.head {
		dst[n] = q.at(q.tail)
		q.tail++
		n++
	}
	q.canon = q.tail
	return n
}

// lineBytes returns how many bytes of finished lines can be read.
func (q *inQueue) lineBytes() (n int) {
	for i := q.tail; i != q.canon; i++ {
		if !q.isEOF(i) {
			n++
		}
	}
	return n
}

// An outQueue holds output as the line gets it.
type outQueue struct {
	buf        [outSize]byte
	tail, head uint32
	limit      int // of len for put
}

func (q *outQueue) len() int { return int(q.head - q.tail) }

// put appends a byte; it is lost at the limit, which only echoes meet.
func (q *outQueue) put(c byte) {
	if q.len() < q.limit {
		q.buf[q.head%outSize] = c
		q.head++
	}
}

// take moves bytes to dst.
func (q *outQueue) take(dst []byte) (n int) {
	for n < len(dst) && q.tail != q.head {
		dst[n] = q.buf[q.tail%outSize]
		q.tail++
		n++
	}
	return n
}

func (q *outQueue) reset() { q.tail, q.head = 0, 0 }
