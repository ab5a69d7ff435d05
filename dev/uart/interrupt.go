package uart

import "time"

// Interrupt-driven input and output.

const (
	// budget is how many causes one Interrupt handles. Each may be a FIFO
	// of bytes; a line that is busy for longer gets another interrupt.
	budget = 64

	// maxUseless is how many causes in a row may come with nothing to do
	// before interrupts count as broken. A chip that works needs 2.
	maxUseless = 256

	period     = 10 * time.Millisecond // of the timer
	maxStalled = 200                   // ticks without a byte sent after which Flush gives up
)

// Interrupt serves the interrupt. Call it from a goroutine after each one.
func (u *UART) Interrupt() {
	if u.panicked.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.running || u.polling {
		return
	}
	for n := range budget {
		cause := u.in(iir)
		if cause&iirNone != 0 {
			if n == 0 {
				u.stats.Spurious++
			}
			u.useless = 0
			return
		}
		if u.handle(cause & iirCause) {
			u.useless = 0
		} else if u.useless++; u.useless > maxUseless {
			u.polling = true
			u.enable(0)
			u.arm()
			return
		}
	}
	// Something is still pending, so the line is up. Take it down and up.
	u.out(ier, 0)
	u.out(ier, u.enabled)
}

// handle deals with a cause and reports whether there was anything to do.
// The name of the cause isn't trusted: all work that is there is done. mu is
// held.
func (u *UART) handle(cause uint8) (did bool) {
	switch cause {
	case iirLine:
		did = u.status()&lsrErrors != 0
	case iirModem:
		did = u.in(msr)&0xf != 0
	}
	if u.receive() {
		did = true
	}
	if u.send() {
		did = true
	}
	return did
}

// enable sets the interrupt enable register. mu is held.
func (u *UART) enable(bits uint8) {
	if u.polling {
		bits = 0
	}
	if bits != u.enabled {
		u.enabled = bits
		u.out(ier, bits)
	}
}

// status reads the line status. Reading clears the errors in it, so they are
// counted here and kept for the byte they belong to. mu is held.
func (u *UART) status() uint8 {
	s := u.in(lsr)
	if s&lsrOverrun != 0 {
		u.stats.Overruns++
	}
	switch { // a break looks like the others, too
	case s&lsrBreak != 0:
		u.stats.Breaks++
	case s&lsrFraming != 0:
		u.stats.Framing++
	case s&lsrParity != 0:
		u.stats.Parity++
	}
	u.errs |= s & lsrErrors
	return s
}

// receive moves bytes from the chip to the ring and reports whether there
// were any. When the ring is full, bytes stay in the chip and its interrupt
// is off until Read has made room: a sender that can wait, as the other side
// of a virtual port can, loses nothing. mu is held.
func (u *UART) receive() (did bool) {
	for range ringSize {
		if u.rx.full() {
			u.enable(u.enabled &^ ierRx)
			break
		}
		if u.status()&lsrData == 0 {
			break
		}
		c := u.in(rbr)
		bad := u.errs & (lsrParity | lsrFraming | lsrBreak)
		u.errs = 0
		did = true
		if bad == 0 {
			u.rx.put([]byte{c})
			u.stats.Received++
		}
	}
	if did {
		u.data.Broadcast()
	}
	return did
}

// send moves bytes from the ring to the chip if it is idle, and reports
// whether it did. The chip's interrupt is on while bytes remain: enabling it
// when the chip is idle raises one at once, so none is lost in between. mu
// is held.
func (u *UART) send() (did bool) {
	if u.tx.len() > 0 && u.status()&lsrTxReady != 0 {
		for range min(u.depth, u.tx.len()) {
			u.out(thr, u.tx.get())
			u.stats.Sent++
		}
		did = true
		u.room.Broadcast()
	}
	if u.tx.len() > 0 {
		u.enable(u.enabled | ierTx)
		u.arm()
	} else {
		u.enable(u.enabled &^ ierTx)
	}
	return did
}

// arm starts the timer. mu is held.
func (u *UART) arm() {
	switch {
	case u.armed:
	case u.timer == nil:
		u.timer = time.AfterFunc(period, u.tick)
	default:
		u.timer.Reset(period)
	}
	u.armed = true
}

// tick does what interrupts should have done.
func (u *UART) tick() {
	if u.panicked.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.armed = false
	rescued := u.receive()
	for range ringSize / fifoDepth { // as fast as a virtual port takes it
		if !u.send() {
			break
		}
		rescued = true
	}
	if rescued && !u.polling {
		u.stats.Rescued++
	}
	u.stalled++
	if u.stats.Sent != u.last || u.tx.len() == 0 {
		u.last = u.stats.Sent
		u.stalled = 0
	}
	u.room.Broadcast()
	if u.polling || u.tx.len() > 0 {
		u.arm()
	}
}

// Write queues p and returns when all of it is queued; Flush waits until it
// is sent. Without interrupts it polls, and gives up when the chip is stuck.
func (u *UART) Write(p []byte) (int, error) {
	if u.panicked.Load() {
		return short(u.WritePolled(p), len(p))
	}
	u.wmu.Lock()
	defer u.wmu.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.running {
		return short(u.WritePolled(p), len(p))
	}
	for n := 0; ; {
		n += u.tx.put(p[n:])
		u.send()
		if n == len(p) {
			return n, nil
		}
		if u.tx.full() {
			u.room.Wait()
		}
	}
}

func short(n, want int) (int, error) {
	if n < want {
		return n, ErrStuck
	}
	return n, nil
}

// Read waits for input and returns what there is of it, at most len(p).
func (u *UART) Read(p []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.running {
		return 0, ErrStopped
	}
	if len(p) == 0 {
		return 0, nil
	}
	for u.rx.len() == 0 {
		u.data.Wait()
	}
	for n < len(p) && u.rx.len() > 0 {
		p[n] = u.rx.get()
		n++
	}
	if u.enabled&ierRx == 0 && u.rx.len() <= ringSize/2 {
		u.receive()
		if !u.rx.full() {
			u.enable(u.enabled | ierRx)
		}
	}
	return n, nil
}

// Flush waits until all that was written is on the line. If nothing moves
// for two seconds, it returns ErrStuck.
func (u *UART) Flush() error {
	if u.panicked.Load() {
		return nil // all was sent then, and is since
	}
	u.mu.Lock()
	for u.running && u.tx.len() > 0 {
		if u.stalled > maxStalled {
			u.mu.Unlock()
			return ErrStuck
		}
		u.room.Wait()
	}
	u.mu.Unlock()
	for range maxStalled {
		u.mu.Lock()
		empty := u.status()&lsrTxEmpty != 0
		u.mu.Unlock()
		if empty {
			return nil
		}
		time.Sleep(period)
	}
	return ErrStuck
}
