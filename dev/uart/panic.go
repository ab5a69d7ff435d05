package uart

// Output without locks, allocation or interrupts.

// WritePolled sends p and returns how many bytes the chip took. It waits for
// a busy transmitter, but not for ever: what is left then is dropped and
// counted, and until the transmitter moves again nobody waits for it. It
// takes no locks, so bytes of other writers may come between.
func (u *UART) WritePolled(p []byte) (n int) {
	room := 0
	for _, c := range p {
		if room == 0 {
			if !u.ready() {
				u.dropped.Add(uint64(len(p) - n))
				break
			}
			room = max(u.depth, 1) // Init may not have been
		}
		u.out(thr, c)
		room--
		n++
	}
	return n
}

// ready waits until the transmitter takes bytes.
func (u *UART) ready() bool {
	spins := patience
	if u.stuck.Load() {
		spins = 1
	}
	for range spins {
		if u.in(lsr)&lsrTxReady != 0 {
			u.stuck.Store(false)
			return true
		}
		u.pause()
	}
	u.stuck.Store(true)
	return false
}

// Panic switches to polled output for good: for a kernel that is about to
// say why it dies. Output that is still queued is sent first. It waits for
// nobody: if somebody is in the middle of the queue and doesn't leave soon
// (it may be the caller, or a CPU that has been stopped), it takes the queue
// as it is. Those who wait for the port wait on.
func (u *UART) Panic() {
	if u.panicked.Swap(true) {
		return
	}
	for range 1 << 14 {
		if u.mu.TryLock() {
			break // and never unlocked: nothing may move any more
		}
		u.in(scr) // takes a moment
		u.pause()
	}
	for range ringSize { // not for ever if the queue is damaged
		var p [fifoDepth]byte
		n := 0
		for n < len(p) && u.tx.len() > 0 {
			p[n] = u.tx.get()
			n++
		}
		if n == 0 {
			break
		}
		u.WritePolled(p[:n])
	}
}
