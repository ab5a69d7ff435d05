// Package klog is the kernel's log: a bounded ring of lines, each with a
// level, a time and a number, and a console that is shown the important ones.
//
// A Log owns its records. They never change once they are in the ring, and the
// ring is read through atomic pointers alone, so readers take no lock: neither
// syslog(2) nor a panicking CPU, for which Dump and TryTail are made, can hang
// on a lock that a dead CPU held. Every goroutine may write; interrupt
// handlers and the system stack may not.
//
// A writer puts its lines into the ring and then, unless another is at it,
// brings the console up to date. So a line never waits for a slow console that
// someone else is using, is never mixed with another, and appears in the order
// of the ring; Flush waits until all are out.
//
// Lock order: Log.partial and Log.console, either before Log.ring; none of
// them is held while a line is formatted. Ring and partial are held for short
// sections without calls to unknown code, except the clock.
package klog

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Level says how important a record is, as in syslog(2): the lower the more.
type Level int

// The levels.
const (
	Emerg   Level = iota // the machine is unusable
	Alert                // must be acted upon at once
	Crit                 // critical
	Err                  // an error
	Warning              // may become an error
	Notice               // normal, but worth to be noted
	Info                 // what goes on
	Debug                // for who works on the kernel
)

const (
	// MaxText is the largest text of a record in bytes. A longer line is cut
	// and ends in "...".
	MaxText = 1000

	// MinSize is the least size of a ring in bytes: some records of any size.
	MinSize = 4096

	// overhead is what a record costs besides its line: the structure, the
	// pointer to it, and rounding in the heap.
	overhead = 104
)

// Record is one line of the log.
type Record struct {
	Seq   uint64 // counts from 1; a number is never used again
	Time  int64  // nanoseconds, by the clock given to New
	Level Level
	Text  string // valid UTF-8 without newline or control character except tab

	// Of are the numbers of what the record is about and of those above it in a tree,
	// from the root down; nil: it is about the machine. Nobody changes it.
	Of []uint64
}

// Log is a log. New makes one.
type Log struct {
	now  func() int64 // [const]
	size int          // [const] most bytes that records may cost

	ring  sync.Mutex               // one writer at a time
	slots []atomic.Pointer[record] // record seq is in slots[seq & mask]
	mask  uint64                   // [const]
	first atomic.Uint64            // oldest record kept; written under ring
	next  atomic.Uint64            // number of the next record; written under ring
	used  int                      // [ring] bytes that the records kept cost

	out     io.Writer     // [console], nil for none
	console sync.Mutex    // one line at a time
	level   atomic.Int64  // least important Level that the console shows
	shown   atomic.Uint64 // last record that the console is done with; written under console

	partial sync.Mutex
	line    []byte // [partial] what Write has of a line; at most MaxText+1 bytes
}

// New makes a log that keeps up to size bytes of records (at least MinSize),
// counting what they cost in all. now returns nanoseconds and must not log.
// Records as important as level or more are written to console, one a Write,
// each a whole line; it may be nil, and must not change what it is given.
func New(size int, now func() int64, console io.Writer, level Level) *Log {
	l := &Log{now: now, size: max(size, MinSize), out: console}
	n := 1
	for n <= l.size/overhead {
		n *= 2
	}
	l.slots = make([]atomic.Pointer[record], n)
	l.mask = uint64(n - 1)
	l.first.Store(1)
	l.next.Store(1)
	l.SetConsoleLevel(level)
	return l
}

// Size returns the size of the ring in bytes.
func (l *Log) Size() int { return l.size }

// SetConsoleLevel makes the console show records up to level. Note that
// syslog(2) counts one higher: there 7 shows what is below Debug, here Info.
func (l *Log) SetConsoleLevel(level Level) { l.level.Store(int64(bound(level))) }

// ConsoleLevel returns the least important level that the console shows.
func (l *Log) ConsoleLevel() Level { return Level(l.level.Load()) }

func bound(level Level) Level { return min(max(level, Emerg), Debug) }

// Printf adds a record for each line of the formatted text. The lines of one
// call stay together.
func (l *Log) Printf(level Level, format string, args ...any) {
	l.add(level, nil, fmt.Appendf(nil, format, args...))
}

// PrintfOf is Printf of records with Of.
func (l *Log) PrintfOf(of []uint64, level Level, format string, args ...any) {
	l.add(level, of, fmt.Appendf(nil, format, args...))
}

// Emergf logs at level Emerg.
func (l *Log) Emergf(format string, args ...any) { l.Printf(Emerg, format, args...) }

// Alertf logs at level Alert.
func (l *Log) Alertf(format string, args ...any) { l.Printf(Alert, format, args...) }

// Critf logs at level Crit.
func (l *Log) Critf(format string, args ...any) { l.Printf(Crit, format, args...) }

// Errf logs at level Err.
func (l *Log) Errf(format string, args ...any) { l.Printf(Err, format, args...) }

// Warnf logs at level Warning.
func (l *Log) Warnf(format string, args ...any) { l.Printf(Warning, format, args...) }

// Noticef logs at level Notice.
func (l *Log) Noticef(format string, args ...any) { l.Printf(Notice, format, args...) }

// Infof logs at level Info.
func (l *Log) Infof(format string, args ...any) { l.Printf(Info, format, args...) }

// Debugf logs at level Debug.
func (l *Log) Debugf(format string, args ...any) { l.Printf(Debug, format, args...) }

// add logs the lines of text.
func (l *Log) add(level Level, of []uint64, text []byte) {
	list := records(bound(level), text)
	for _, r := range list {
		r.of = of
	}
	l.put(list)
	l.show()
}
