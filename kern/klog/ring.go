package klog

// put adds new records to the ring, the oldest making room for them. Readers
// take no lock, so the order of the stores matters: first moves on before a
// slot is reused, next after it is filled.
func (l *Log) put(list []*record) {
	l.ring.Lock()
	defer l.ring.Unlock()
	now := l.now()
	for _, r := range list {
		seq := l.next.Load()
		r.stamp(seq, now)
		l.used += r.cost()
		for l.used > l.size {
			old := l.first.Load()
			slot := &l.slots[old&l.mask]
			l.first.Store(old + 1)
			l.used -= slot.Load().cost()
			slot.Store(nil)
		}
		l.slots[seq&l.mask].Store(r)
		l.next.Store(seq + 1)
	}
}

// after returns the oldest record kept whose number is above seq, nil if
// there is none, and how many between the two are gone. It takes no lock.
func (l *Log) after(seq uint64) (r *record, lost uint64) {
	for want := seq; want < l.next.Load()-1; {
		// Below next-1 at least, so that this one is in the ring or was.
		want = max(want+1, l.first.Load())
		if r = l.slots[want&l.mask].Load(); r != nil && r.seq == want {
			return r, want - seq - 1
		}
		// It was dropped since first was read; first has moved on.
		want--
	}
	return nil, 0
}

// Read returns the oldest record kept whose number is above after, and how
// many records between the two were dropped before they could be read. The
// number of the record is the next call's after; 0 starts with the oldest, and
// ok is false if there is nothing newer. It takes no lock.
func (l *Log) Read(after uint64) (rec Record, lost uint64, ok bool) {
	r, lost := l.after(after)
	if r == nil {
		return Record{}, 0, false
	}
	return r.export(), lost, true
}

// Last returns the number of the newest record, 0 if there was none yet.
func (l *Log) Last() uint64 { return l.next.Load() - 1 }
