package tty

import (
	"io"
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// A Console is a terminal on a line of its own, such as a serial port: bytes go
// out by a Write that takes its time, and come in by Input.
type Console struct {
	TTY
	out io.Writer // [const]

	work   sync.Cond // there is output, or the end; with TTY.mu
	room   sync.Cond // input is taken again, or the end; with TTY.mu
	idle   sync.Cond // all output is out, or the end; with TTY.mu
	closed bool      // [TTY.mu]
	done   sync.WaitGroup
}

// consoleStep is how much the line gets at once.
const consoleStep = 256

// NewConsole returns a terminal with path name and a device number, and starts
// what writes its output to out. It is charged to in, and refused with ENOMEM.
func NewConsole(in *inst.Inst, name string, major, minor uint32, out io.Writer) (*Console, error) {
	if !in.Charge(inst.Heap, ttyBytes) {
		return nil, errno.ENOMEM
	}
	c := &Console{out: out}
	c.work.L, c.room.L, c.idle.L = &c.mu, &c.mu, &c.mu
	c.drains = true
	t := Default()
	t.Cflag |= clocal
	c.init(in, name, abi.Mkdev(major, minor), c, t)
	c.done.Add(1)
	go c.pump()
	return c, nil
}

// Flush waits until the line has taken all output, unless it was stopped.
func (c *Console) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && (c.sending || c.d.takeable()) {
		c.idle.Wait()
	}
}

// SetRaw makes the terminal pass bytes as they are, as stty raw -echo does.
func (c *Console) SetRaw() {
	c.mu.Lock()
	defer c.unlock()
	t := c.d.t
	t.Iflag &^= icrnl | inlcr | igncr | istrip | ixon
	t.Oflag &^= opost
	t.Lflag &^= icanon | echo | isig | iexten
	t.CC[vmin], t.CC[vtime] = 1, 0
	c.d.setTermios(t)
}

// Close hangs the terminal up and ends what NewConsole started. Input and Feed
// may go on, and lead to nothing.
func (c *Console) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	c.work.Broadcast()
	c.room.Broadcast()
	c.idle.Broadcast()
	c.mu.Unlock()
	c.Hangup()
	c.done.Wait()
	c.Inst.Uncharge(inst.Heap, ttyBytes)
}

// pump moves output to the line.
func (c *Console) pump() {
	defer c.done.Done()
	var b [consoleStep]byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for !c.closed && !c.d.takeable() {
			c.idle.Broadcast()
			c.work.Wait()
		}
		if c.closed {
			return
		}
		n := c.takeLocked(b[:])
		c.sending = true
		c.write(b[:n])
		c.sending = false
		if c.d.out.len() == 0 {
			c.q.WakeAll() // those in drain
		}
	}
}

// write writes b to the line without mu. What the line doesn't take is lost:
// there is nobody to tell.
func (c *Console) write(b []byte) {
	c.mu.Unlock()
	defer c.mu.Lock()
	c.out.Write(b)
}

// Feed gives all of b to the terminal as input, and waits for room where there
// is none. A driver calls it that can let its line wait. It reports false when
// the terminal was closed.
func (c *Console) Feed(b []byte) bool {
	for {
		n := c.Input(b)
		b = b[n:]
		c.mu.Lock()
		for !c.closed && len(b) > 0 && c.refused {
			c.room.Wait()
		}
		closed := c.closed
		c.mu.Unlock()
		if closed || len(b) == 0 {
			return !closed
		}
	}
}

// Serve feeds the terminal with what r gives, until r ends or the terminal is
// closed; then it returns r's error.
func (c *Console) Serve(r io.Reader) error {
	var b [consoleStep]byte
	for {
		n, err := r.Read(b[:])
		if !c.Feed(b[:n]) || err != nil {
			return err
		}
	}
}

func (c *Console) kick()        { c.work.Signal() }
func (c *Console) resume()      { c.room.Broadcast() }
func (c *Console) flushed(byte) {}
