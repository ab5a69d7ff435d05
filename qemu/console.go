package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
	"time"
)

const (
	maxPending  = 1 << 20          // unmatched output kept for expect
	maxTail     = 8 << 10          // output kept after it was matched
	sendTimeout = 30 * time.Second // for a guest that doesn't read its console
)

// errEnded is expect's answer when there will be no more output.
var errEnded = errors.New("the guest ended")

// console is our end of a guest's serial line. It is a pair of pipes: QEMU
// writes byte by byte, and a socket holds less than 300 writes of any size, so
// that the line would stand still whenever the reader is late.
type console struct {
	in  *os.File // what the guest reads
	out *os.File // what it prints
	log *os.File // nil without a log

	mu      sync.Mutex
	pending []byte        // [mu] output after the last match
	last    []byte        // [mu] at least the last maxTail bytes of output
	logErr  error         // [mu] the log is incomplete
	ended   bool          // [mu]
	changed chan struct{} // [mu] closed and replaced on output, closed at the end
	closed  chan struct{} // closed when the reader is gone
}

// newConsole returns a console, and the ends of its pipes that QEMU gets. What
// the guest prints is copied to the file log, if named.
func newConsole(log string) (c *console, stdin, stdout *os.File, err error) {
	c = &console{changed: make(chan struct{}), closed: make(chan struct{})}
	if log != "" {
		if c.log, err = os.Create(log); err != nil {
			return nil, nil, nil, fmt.Errorf("console log: %w", err)
		}
	}
	if stdin, c.in, err = os.Pipe(); err != nil {
		c.log.Close()
		return nil, nil, nil, err
	}
	if c.out, stdout, err = os.Pipe(); err != nil {
		c.log.Close()
		c.in.Close()
		stdin.Close()
		return nil, nil, nil, err
	}
	go c.read()
	return c, stdin, stdout, nil
}

func (c *console) read() {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.out.Read(buf)
		c.take(buf[:n])
		if err != nil {
			break
		}
	}
	c.in.Close()
	c.out.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log != nil {
		c.logErr = errors.Join(c.logErr, c.log.Close())
	}
	c.ended = true
	close(c.changed)
	close(c.closed)
}

func (c *console) take(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log != nil {
		if _, err := c.log.Write(b); err != nil {
			c.logErr = err
		}
	}
	b = bytes.ReplaceAll(b, []byte("\r"), nil)
	if len(b) == 0 {
		return
	}
	c.pending = keepLast(append(c.pending, b...), maxPending)
	c.last = keepLast(append(c.last, b...), maxTail)
	close(c.changed)
	c.changed = make(chan struct{})
}

// keepLast shortens b to its last n bytes once it is twice as long.
func keepLast(b []byte, n int) []byte {
	if len(b) < 2*n {
		return b
	}
	return append(b[:0], b[len(b)-n:]...)
}

func (c *console) expect(pattern string, timeout time.Duration) ([]string, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	deadline := time.After(timeout)
	for {
		match, changed, err := c.search(re)
		if match != nil || err != nil {
			return match, err
		}
		select {
		case <-changed:
		case <-deadline:
			return nil, fmt.Errorf("no match in %v: %w", timeout, os.ErrDeadlineExceeded)
		}
	}
}

// search looks for re in the pending output and drops everything up to the end
// of the match. Without a match it returns the channel that tells of more.
func (c *console) search(re *regexp.Regexp) ([]string, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := re.FindSubmatchIndex(c.pending)
	if at == nil {
		if c.ended {
			return nil, nil, errors.Join(errEnded, c.logErr)
		}
		return nil, c.changed, nil
	}
	match := make([]string, len(at)/2)
	for i := range match {
		if at[2*i] >= 0 {
			match[i] = string(c.pending[at[2*i]:at[2*i+1]])
		}
	}
	c.pending = c.pending[at[1]:]
	return match, nil, nil
}

func (c *console) send(s string) error {
	c.in.SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := io.WriteString(c.in, s); err != nil {
		return fmt.Errorf("typing on the console: %w", err)
	}
	return nil
}

func (c *console) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.last
	if len(b) > maxTail {
		b = b[len(b)-maxTail:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:] // from the start of a line
		}
	}
	return string(b)
}

// wait returns when all output of a QEMU that is gone has been read.
func (c *console) wait() { <-c.closed }

// close gives up a console that QEMU never had.
func (c *console) close() {
	c.out.Close()
	c.wait()
}
