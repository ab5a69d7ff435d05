package klog

import (
	"bytes"
	"fmt"
)

// show brings the console up to date, or leaves that to who is at it: it looks
// again after it has let the console go, and so sees what was added meanwhile.
func (l *Log) show() {
	for l.out != nil && l.shown.Load() < l.Last() && l.console.TryLock() {
		l.drain()
	}
}

// drain writes what the console has not shown and lets the console go, even
// if its Write panics.
func (l *Log) drain() {
	defer l.console.Unlock()
	for l.out != nil {
		r, lost := l.after(l.shown.Load())
		if r == nil {
			return
		}
		if lost > 0 {
			fmt.Fprintf(l.out, "klog: %d lines lost here\n", lost)
		}
		if r.level <= l.ConsoleLevel() {
			l.out.Write(r.line)
		}
		l.shown.Store(r.seq)
	}
}

// Flush ends a line that Write has begun, and returns when the console has
// shown all records that were in the log before. A panicking CPU calls TryTail
// instead, since Flush waits for locks.
func (l *Log) Flush() {
	l.partial.Lock()
	line := bytes.Clone(l.line)
	l.line = l.line[:0]
	l.partial.Unlock()
	if len(line) > 0 {
		l.add(Info, nil, line)
	}
	l.console.Lock()
	l.drain()
	l.show() // what was added after drain looked, and found the console taken
}

// TryTail gives f the lines that the console should show and hasn't finished,
// oldest first, as it would show them. It takes no lock, allocates nothing,
// and f must not change or keep a line: it is for a panicking CPU, which may
// have interrupted anything. A line that the console was just writing comes
// again.
func (l *Log) TryTail(f func(line []byte)) {
	l.each(l.shown.Load(), l.ConsoleLevel(), f)
}

// Dump gives f all lines kept, oldest first, under the terms of TryTail.
func (l *Log) Dump(f func(line []byte)) { l.each(0, Debug, f) }

// each stops at the record that is the newest when it starts, so that it ends
// even while others log.
func (l *Log) each(seq uint64, level Level, f func(line []byte)) {
	for last := l.Last(); seq < last; {
		r, _ := l.after(seq)
		if r == nil {
			return
		}
		if r.level <= level {
			f(r.line)
		}
		seq = r.seq
	}
}

// Write logs text at level Info, line by line, as it comes: a line is logged
// when its end is there, so early output may be written byte by byte.
func (l *Log) Write(text []byte) (int, error) {
	n := len(text)
	for {
		part, rest, end := bytes.Cut(text, []byte{'\n'})
		l.partial.Lock()
		// One byte too many is enough to show that the line was longer.
		l.line = append(l.line, part[:min(len(part), MaxText+1-len(l.line))]...)
		var line []byte
		if end {
			line = bytes.Clone(l.line)
			l.line = l.line[:0]
		}
		l.partial.Unlock()
		if !end {
			return n, nil
		}
		l.add(Info, nil, line)
		text = rest
	}
}
