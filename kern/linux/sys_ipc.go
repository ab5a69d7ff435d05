package linux

import (
	"encoding/binary"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/futex"
	"mult/kern/pipe"
	"mult/kern/proc"
	"mult/kern/vm"
)

func sysPipe(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) { return makePipe(t, a.Addr(0), 0) }
func sysPipe2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return makePipe(t, a.Addr(0), a.Int(1))
}

func makePipe(t *proc.Thread, to vm.Addr, flags int) (uintptr, error) {
	r, w, err := pipe.New(t, flags)
	if err != nil {
		return 0, err
	}
	fds, err := install(t, flags&abi.O_CLOEXEC != 0, r, w)
	if err != nil {
		return 0, err
	}
	var b [8]byte
	binary.LittleEndian.PutUint32(b[0:], uint32(fds[0]))
	binary.LittleEndian.PutUint32(b[4:], uint32(fds[1]))
	if err := t.Space().CopyOut(to, b[:]); err != nil {
		file.Of(t.Proc).Close(t, fds[0])
		file.Of(t.Proc).Close(t, fds[1])
		return 0, err
	}
	return 0, nil
}

// install makes descriptors for two files and takes over their references.
func install(t *proc.Thread, cloexec bool, f, g *file.File) (fds [2]int, err error) {
	tb := file.Of(t.Proc)
	if fds[0], err = tb.Alloc(t, f, 0, cloexec); err != nil {
		f.Release()
		g.Release()
		return fds, err
	}
	if fds[1], err = tb.Alloc(t, g, 0, cloexec); err != nil {
		tb.Close(t, fds[0])
		g.Release()
	}
	return fds, err
}

// sysFutex implements futex(2): (a *uint32, op int, val uint32, timeout or
// val2, a2 *uint32, val3 uint32).
func sysFutex(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	op, val, val2, val3 := a.Uint(1), a.Uint(2), int(int32(a[3])), a.Uint(5)
	shared := op&abi.FUTEX_PRIVATE_FLAG == 0
	realtime := op&abi.FUTEX_CLOCK_REALTIME != 0
	cmd := op &^ (abi.FUTEX_PRIVATE_FLAG | abi.FUTEX_CLOCK_REALTIME)
	if realtime && cmd != abi.FUTEX_WAIT_BITSET {
		return 0, errno.ENOSYS
	}
	n, err := 0, error(errno.ENOSYS)
	switch cmd {
	case abi.FUTEX_WAIT, abi.FUTEX_WAIT_BITSET:
		d := proc.Deadline{At: proc.Forever}
		if a[3] != 0 {
			ns, err := getTimespec(t, a.Addr(3))
			if err != nil {
				return 0, err
			}
			switch {
			case cmd == abi.FUTEX_WAIT:
				d.At = k.after(ns) // relative
			case realtime:
				d = proc.Deadline{At: ns, Wall: k.Wall}
			default:
				d.At = proc.TableOf(t.Inst()).Deadline(ns)
			}
		}
		if cmd == abi.FUTEX_WAIT {
			val3 = abi.FUTEX_BITSET_MATCH_ANY
		}
		err = futex.Wait(t, a.Addr(0), val, val3, shared, d)
	case abi.FUTEX_WAKE:
		n, err = futex.Wake(t, a.Addr(0), int(int32(val)), abi.FUTEX_BITSET_MATCH_ANY, shared)
	case abi.FUTEX_WAKE_BITSET:
		n, err = futex.Wake(t, a.Addr(0), int(int32(val)), val3, shared)
	case abi.FUTEX_REQUEUE:
		n, err = futex.Requeue(t, a.Addr(0), int(int32(val)), val2, a.Addr(4), futex.Compare{}, shared)
	case abi.FUTEX_CMP_REQUEUE:
		n, err = futex.Requeue(t, a.Addr(0), int(int32(val)), val2, a.Addr(4), futex.Compare{On: true, Val: val3}, shared)
	case abi.FUTEX_WAKE_OP:
		n, err = futex.WakeOp(t, a.Addr(0), int(int32(val)), a.Addr(4), val2, val3, shared)
	}
	return uintptr(n), err
}
