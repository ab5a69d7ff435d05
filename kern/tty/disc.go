package tty

// A disc is the line discipline of one terminal: what becomes of input
// (here and in edit.go) and of output (output.go), and what readers get. It is
// a state machine: nothing in it waits, and it knows no processes. The caller
// serialises calls, and after them looks at the signals that came up.
type disc struct {
	t       Termios
	special [256]bool // needs more than to be queued and echoed
	raw     bool      // input is queued as it comes

	in  inQueue
	out outQueue

	column     int  // of the cursor
	lineColumn int  // where the line that is being edited began
	literal    bool // the next byte is taken as it is (VLNEXT)
	erasing    bool // ECHOPRT has shown a backslash

	stopped bool // no output for now: VSTOP or halted
	halted  bool // by TCOOFF; only TCOON ends it

	// Columns when the bytes now being received began to come, for when their
	// echo is thrown away unseen.
	oldColumn, oldLine int

	signals signalSet // that input made, not sent yet
	urgent  []byte    // START and STOP characters to send; of capacity maxUrgent
	full    bool      // IXOFF: a STOP was sent
}

// maxUrgent is how many characters of flow control can wait; beyond, they say
// nothing new.
const maxUrgent = 4

// A signalSet has a bit for each signal that the line discipline makes.
type signalSet uint8

const (
	sigInt signalSet = 1 << iota
	sigQuit
	sigStop
)

func (d *disc) init(t Termios) {
	*d = disc{urgent: make([]byte, 0, maxUrgent)}
	d.t = t
	d.classify()
}

// classify prepares what is looked up for each byte of input.
func (d *disc) classify() {
	t := &d.t
	d.raw = t.Iflag&(istrip|iuclc|igncr|icrnl|inlcr|ixon|parmrk) == 0 && t.Lflag&(icanon|isig|echo) == 0
	clear(d.special[:])
	mark := func(on bool, chars ...int) {
		for _, c := range chars {
			if on {
				d.special[t.CC[c]] = true
			}
		}
	}
	canon, ext := t.lflag(icanon), t.lflag(iexten)
	mark(canon, verase, vkill, veof, veol)
	mark(canon && ext, vwerase, vlnext, veol2)
	mark(canon && ext && t.lflag(echo), vreprint)
	mark(t.iflag(ixon), vstart, vstop)
	mark(t.lflag(isig), vintr, vquit, vsusp)
	if t.iflag(igncr | icrnl) {
		d.special['\r'] = true
	}
	if t.iflag(inlcr) || canon {
		d.special['\n'] = true
	}
	d.special[disabled] = false
}

// setTermios changes the settings. What is queued stays: a line that is being
// edited when editing ends can be read at once, and what is there when it
// begins counts as one line.
func (d *disc) setTermios(t Termios) {
	old := d.t
	d.t = t
	d.classify()
	if (old.Lflag^t.Lflag)&(icanon|extproc) != 0 {
		q := &d.in
		clear(q.ends[:])
		q.canon = q.tail
		if t.lflag(icanon) && q.len() > 0 {
			q.setEnd(q.head-1, true)
			q.canon = q.head
		}
		d.erasing, d.literal = false, false
	}
	if old.iflag(ixon) && !t.iflag(ixon) {
		d.start()
	}
}

// receive takes input as far as there is room and returns how much it took.
func (d *disc) receive(b []byte) int {
	d.out.limit = echoLimit
	d.oldColumn, d.oldLine = d.column, d.lineColumn
	for n, c := range b {
		if !d.makeRoom() {
			return n
		}
		d.receiveByte(c)
	}
	return len(b)
}

// makeRoom reports whether another byte of input can be handled. A line that
// is too long goes on: its last byte is overwritten, so that the line can
// still be ended or edited.
func (d *disc) makeRoom() bool {
	q := &d.in
	need := 2
	if d.t.iflag(parmrk) {
		need = 4 // one byte may become three
	}
	if inSize-q.len() >= need {
		return true
	}
	if !d.t.lflag(icanon) || q.canon != q.tail {
		return false
	}
	if q.len() == inSize {
		q.head--
	}
	return true
}

func (d *disc) receiveByte(c byte) {
	t := &d.t
	if d.raw {
		d.in.put(c)
		return
	}
	if t.iflag(istrip) {
		c &= 0x7f
	}
	if t.iflag(iuclc) && t.lflag(iexten) {
		c = lower(c)
	}
	switch {
	case d.literal:
		d.literal = false
		d.plain(c)
	case t.lflag(extproc):
		d.in.put(c)
	case d.special[c]:
		d.receiveSpecial(c)
	default:
		d.plain(c)
	}
}

// plain handles a byte that means nothing but itself.
func (d *disc) plain(c byte) {
	d.anyStarts()
	if d.t.lflag(echo) {
		d.echoInput(c)
	}
	d.queue(c)
}

// queue appends input. Where errors are marked by a byte of ones, such a byte
// is doubled.
func (d *disc) queue(c byte) {
	if c == 0xff && d.t.iflag(parmrk) {
		d.in.put(c)
	}
	d.in.put(c)
}

// anyStarts lets output go on with any character, if IXANY says so.
func (d *disc) anyStarts() {
	if d.t.Iflag&(ixon|ixany) == ixon|ixany {
		d.start()
	}
}

// receiveSpecial handles a byte that may have a meaning.
func (d *disc) receiveSpecial(c byte) {
	t := &d.t
	if t.iflag(ixon) {
		switch c {
		case t.CC[vstart]:
			d.start()
			return
		case t.CC[vstop]:
			d.stopped = true
			return
		}
	}
	if t.lflag(isig) {
		switch c {
		case t.CC[vintr]:
			d.signal(sigInt, c)
			return
		case t.CC[vquit]:
			d.signal(sigQuit, c)
			return
		case t.CC[vsusp]:
			d.signal(sigStop, c)
			return
		}
	}
	d.anyStarts()
	switch {
	case c == '\r' && t.iflag(igncr):
		return
	case c == '\r' && t.iflag(icrnl):
		c = '\n'
	case c == '\n' && t.iflag(inlcr):
		c = '\r'
	}
	if t.lflag(icanon) && d.receiveEdit(c) {
		return
	}
	if t.lflag(echo) {
		if c == '\n' {
			d.endErase()
			d.output(c)
		} else {
			d.echoInput(c)
		}
	}
	d.queue(c)
}

// receiveEdit handles a byte that edits or ends the line, and reports whether
// it was one.
func (d *disc) receiveEdit(c byte) bool {
	t := &d.t
	ext := t.lflag(iexten)
	switch {
	case c == t.CC[verase] || c == t.CC[vkill] || c == t.CC[vwerase] && ext:
		d.erase(c)
	case c == t.CC[vlnext] && ext:
		d.literal = true
		if t.lflag(echo) {
			d.endErase()
			if t.lflag(echoctl) {
				d.output('^')
				d.output('\b')
			}
		}
	case c == t.CC[vreprint] && ext && t.lflag(echo):
		d.reprint(c)
	case c == '\n':
		if t.lflag(echo | echonl) {
			d.output(c)
		}
		d.in.putEnd(c)
	case c == t.CC[veof]:
		d.in.putEnd(disabled)
	case c == t.CC[veol] || c == t.CC[veol2] && ext:
		if t.lflag(echo) {
			d.lineStarts()
			d.echo(c)
		}
		if c == 0xff && t.iflag(parmrk) {
			d.in.put(c)
		}
		d.in.putEnd(c)
	default:
		return false
	}
	return true
}

// signal handles VINTR, VQUIT and VSUSP.
func (d *disc) signal(s signalSet, c byte) {
	d.interrupt(s)
	if d.t.iflag(ixon) {
		d.start()
	}
	if d.t.lflag(echo) {
		d.echo(c)
	}
}

// interrupt makes a signal and drops what is on its way, unless NOFLSH.
func (d *disc) interrupt(s signalSet) {
	d.signals |= s
	if !d.t.lflag(noflsh) {
		if d.out.len() > 0 {
			d.column, d.lineColumn = d.oldColumn, d.oldLine
		}
		d.out.reset()
		d.flushInput()
	}
}

// receiveBreak handles a break on the line.
func (d *disc) receiveBreak() {
	t := &d.t
	switch {
	case t.iflag(ignbrk):
	case t.iflag(brkint):
		d.interrupt(sigInt)
	case d.makeRoom():
		if t.iflag(parmrk) {
			d.in.put(0xff)
			d.in.put(0)
		}
		d.in.put(0)
	}
}

// receiveBad handles a byte that came with a parity or framing error.
func (d *disc) receiveBad(c byte) {
	t := &d.t
	switch {
	case t.iflag(inpck) && t.iflag(ignpar) || !d.makeRoom():
	case !t.iflag(inpck):
		d.receiveByte(c)
	case t.iflag(parmrk):
		d.in.put(0xff)
		d.in.put(0)
		d.in.put(c)
	default:
		d.in.put(0)
	}
}

// start lets output go on, unless TCOOFF halts it.
func (d *disc) start() { d.stopped = d.halted }

// halt is TCOOFF, and unhalt TCOON.
func (d *disc) halt() { d.stopped, d.halted = true, true }
func (d *disc) unhalt() {
	if d.halted {
		d.stopped, d.halted = false, false
	}
}

// flushInput drops all input that was not read.
func (d *disc) flushInput() {
	d.in.reset()
	d.erasing = false
}

// read moves input to dst: of one line, or what there is.
func (d *disc) read(dst []byte) int {
	if d.t.lines() {
		return d.in.readLine(dst)
	}
	n := d.in.readBytes(dst)
	if d.t.lflag(icanon) && n == 1 && dst[0] == d.t.CC[veof] && d.in.len() == 0 {
		return 0 // EXTPROC: the other side sent an end of file
	}
	return n
}

// readable reports whether read gives something, an end of file included;
// least is how many bytes must be there if there are no lines.
func (d *disc) readable(least int) bool {
	if d.t.lines() {
		return d.in.tail != d.in.canon
	}
	return d.in.len() >= max(least, 1)
}

// ready reports whether poll(2) says that there is something to read: where no
// time limits the wait for VMIN bytes, less than those don't count.
func (d *disc) ready() bool {
	if d.t.CC[vtime] != 0 {
		return d.readable(1)
	}
	return d.readable(int(d.t.CC[vmin]))
}

// available returns how many bytes can be read.
func (d *disc) available() int {
	if d.t.lines() {
		return d.in.lineBytes()
	}
	return d.in.len()
}

// take moves output to dst, for the line. Flow control goes first.
func (d *disc) take(dst []byte) int {
	n := copy(dst, d.urgent)
	d.urgent = append(d.urgent[:0], d.urgent[n:]...)
	if !d.stopped {
		n += d.out.take(dst[n:])
	}
	return n
}

// takeable reports whether take gives something.
func (d *disc) takeable() bool { return len(d.urgent) > 0 || !d.stopped && d.out.len() > 0 }

// send sends a character of flow control, if there is one.
func (d *disc) send(c byte) {
	if c != disabled && len(d.urgent) < maxUrgent {
		d.urgent = append(d.urgent, c)
	}
}

// Marks at which IXOFF stops the sender and lets it go on.
const (
	highMark = inSize - 128
	lowMark  = 128
)

// throttle sends STOP when input is about to overflow, and START when there is
// room again, if IXOFF says so. While a line is edited the sender is not
// stopped, or it could never be ended.
func (d *disc) throttle() {
	q := &d.in
	switch {
	case d.full && (q.len() <= lowMark || !d.t.iflag(ixoff)):
		d.full = false
		d.send(d.t.CC[vstart])
	case !d.full && d.t.iflag(ixoff) && q.len() > highMark && !(d.t.lflag(icanon) && q.canon == q.tail):
		d.full = true
		d.send(d.t.CC[vstop])
	}
}
