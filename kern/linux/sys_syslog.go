package linux

import (
	"fmt"
	"slices"
	"strings"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/klog"
	"mult/kern/proc"
	"mult/kern/vm"
)

// sysSyslog implements syslog(2): (type int, buf *byte, len int). There is one log, the
// machine's, and an instance reads those lines of it that are about itself or those below
// it; inst0 reads all. Reading takes nothing away, and nothing can be set.
func sysSyslog(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const closes, opens, readAll, sizeUnread, sizeBuffer = 0, 1, 3, 9, 10
	if !t.Cred().Has(proc.CAP_SYSLOG) {
		return 0, errno.EPERM
	}
	switch a.Int(0) {
	case closes, opens:
		return 0, nil
	case sizeBuffer:
		return uintptr(k.Log.Size()), nil
	case sizeUnread:
		total := 0
		k.logLines(t, func(line string) error {
			total += len(line)
			return nil
		})
		return uintptr(total), nil
	case readAll:
		return k.readLog(t, a)
	}
	return 0, errno.EINVAL
}

// readLog copies as many of the last lines out as there is room for.
func (k *Kernel) readLog(t *proc.Thread, a *Args) (uintptr, error) {
	to, room := a.Addr(1), a.Int(2)
	if to == 0 || room < 0 {
		return 0, errno.EINVAL
	}
	over, n := -room, 0 // what there is no room for
	k.logLines(t, func(line string) error {
		over += len(line)
		return nil
	})
	err := k.logLines(t, func(line string) error {
		if over > 0 {
			over -= len(line)
			return nil
		}
		if len(line) > room-n { // others have come
			return nil
		}
		if err := t.Space().CopyOut(to+vm.Addr(n), []byte(line)); err != nil {
			return err
		}
		n += len(line)
		return nil
	})
	return uintptr(n), err
}

// logLines calls f with each line that t may read, the oldest first, until f fails.
func (k *Kernel) logLines(t *proc.Thread, f func(line string) error) error {
	in := t.Inst()
	boot := proc.TableOf(in).Boot()
	seq := uint64(0)
	for {
		r, _, ok := k.Log.Read(seq)
		if !ok {
			return nil
		}
		seq = r.Seq
		text, ok := logText(&r, in)
		if !ok {
			continue
		}
		us := max(0, r.Time-boot) / 1000
		if err := f(fmt.Sprintf("<%d>[%5d.%06d] %s\n", r.Level, us/1e6, us%1e6, text)); err != nil {
			return err
		}
	}
}

// logText returns what a record is for one in an instance: that names it, and those below
// it, without what is above. false: it isn't about them.
func logText(r *klog.Record, in *inst.Inst) (string, bool) {
	if in.Parent == nil {
		return r.Text, true
	}
	above := slices.Index(r.Of, in.ID)
	text := r.Text
	for range above {
		if i := strings.IndexAny(text, "/:"); i >= 0 {
			text = strings.TrimPrefix(text[i+1:], " ")
		}
	}
	return text, above > 0
}
