package kern

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"mult/inst"
	"mult/kern/klog"
)

// This file has what the kernel's log says about instances.

// An instance directly below inst0 may, with all below it, cause so many lines of the log at
// once, and one more in each of the periods after: what it does on and on must not push the
// lines about others out.
const (
	logBurst  = 40
	logPeriod = int64(2 * time.Second)
)

// logOf logs what has happened to in, or to a process there.
func (k *Kernel) logOf(in *inst.Inst, format string, args ...any) {
	top := in
	for top.Depth > 1 {
		top = top.Parent
	}
	ok, lost := lifeSlot.Of(top).log.take(k.Clock())
	if !ok {
		return
	}
	if lost > 0 {
		k.Log.PrintfOf(top.Line(), klog.Notice, "%s: %d more lines about it or those below it were left out", top.Path(), lost)
	}
	// A program's name may have line ends, and is not to begin another line.
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	k.Log.PrintfOf(in.Line(), klog.Notice, "%s: %s", in.Path(), text)
}

// A logQuota says how much may be logged about an instance.
type logQuota struct {
	mu   sync.Mutex // leaf
	full int64      // [mu] time when there can be a burst again
	lost int        // [mu] lines that there was no room for
}

// take reports whether there is room for a line, and for how many there was none before.
func (q *logQuota) take(now int64) (ok bool, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := max(q.full, now) + logPeriod
	if full-now > logBurst*logPeriod {
		q.lost++
		return false, 0
	}
	lost, q.full, q.lost = q.lost, full, 0
	return true, lost
}
