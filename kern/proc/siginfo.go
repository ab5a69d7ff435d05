package proc

import "encoding/binary"

// A Siginfo says why a signal was sent: siginfo_t of sigaction(2).
type Siginfo struct {
	Signo Signal
	Errno int32
	Code  int32
	Data  [32]byte // what depends on Code, from offset 16 on
}

// Values of Siginfo.Code.
const (
	SI_USER    = 0
	SI_KERNEL  = 0x80
	SI_QUEUE   = -1
	SI_TIMER   = -2
	SI_MESGQ   = -3
	SI_ASYNCIO = -4
	SI_SIGIO   = -5
	SI_TKILL   = -6

	ILL_ILLOPN    = 2
	FPE_INTDIV    = 1
	FPE_FLTINV    = 7
	SEGV_MAPERR   = 1
	SEGV_ACCERR   = 2
	BUS_ADRALN    = 1
	BUS_ADRERR    = 2
	TRAP_BRKPT    = 1
	TRAP_TRACE    = 2
	CLD_EXITED    = 1
	CLD_KILLED    = 2
	CLD_DUMPED    = 3
	CLD_TRAPPED   = 4
	CLD_STOPPED   = 5
	CLD_CONTINUED = 6
)

// SiginfoSize is the size of a siginfo_t.
const SiginfoSize = 128

// Info returns an information of signal and code only: SI_KERNEL and so on.
func Info(sig Signal, code int32) Siginfo { return Siginfo{Signo: sig, Code: code} }

// SenderInfo is that of kill(2) and its like.
func SenderInfo(sig Signal, code int32, pid int, uid uint32) Siginfo {
	i := Siginfo{Signo: sig, Code: code}
	i.put32(0, uint32(pid))
	i.put32(4, uid)
	return i
}

// FaultInfo is that of a fault at addr.
func FaultInfo(sig Signal, code int32, addr uint64) Siginfo {
	i := Siginfo{Signo: sig, Code: code}
	binary.LittleEndian.PutUint64(i.Data[0:], addr)
	return i
}

// TimerInfo is that of a POSIX timer.
func TimerInfo(sig Signal, id, overrun int32, value uint64) Siginfo {
	i := Siginfo{Signo: sig, Code: SI_TIMER}
	i.put32(0, uint32(id))
	i.put32(4, uint32(overrun))
	binary.LittleEndian.PutUint64(i.Data[8:], value)
	return i
}

// PollInfo is that of a file which is ready: F_SETSIG of fcntl(2).
func PollInfo(sig Signal, code int32, band int64, fd int32) Siginfo {
	i := Siginfo{Signo: sig, Code: code}
	binary.LittleEndian.PutUint64(i.Data[0:], uint64(band))
	i.put32(8, uint32(fd))
	return i
}

// childInfo is that of SIGCHLD; times are in clock ticks.
func childInfo(sig Signal, code int32, pid int, uid uint32, status int32, utime, stime int64) Siginfo {
	i := SenderInfo(sig, code, pid, uid)
	i.put32(8, uint32(status))
	binary.LittleEndian.PutUint64(i.Data[16:], uint64(utime))
	binary.LittleEndian.PutUint64(i.Data[24:], uint64(stime))
	return i
}

func (i *Siginfo) put32(off int, v uint32) { binary.LittleEndian.PutUint32(i.Data[off:], v) }

// PID, UID, Status, Value and Addr read Data as what it is for the Code.
func (i *Siginfo) PID() int      { return int(int32(binary.LittleEndian.Uint32(i.Data[0:]))) }
func (i *Siginfo) UID() uint32   { return binary.LittleEndian.Uint32(i.Data[4:]) }
func (i *Siginfo) Status() int32 { return int32(binary.LittleEndian.Uint32(i.Data[8:])) }
func (i *Siginfo) Value() uint64 { return binary.LittleEndian.Uint64(i.Data[8:]) }
func (i *Siginfo) Addr() uint64  { return binary.LittleEndian.Uint64(i.Data[0:]) }

// Bytes returns the siginfo_t.
func (i *Siginfo) Bytes() (b [SiginfoSize]byte) {
	binary.LittleEndian.PutUint32(b[0:], uint32(i.Signo))
	binary.LittleEndian.PutUint32(b[4:], uint32(i.Errno))
	binary.LittleEndian.PutUint32(b[8:], uint32(i.Code))
	copy(b[16:], i.Data[:])
	return b
}

// DecodeSiginfo reads a siginfo_t that a program made, for rt_sigqueueinfo(2).
// What the kernel has no room for must be zero, else it returns false: E2BIG.
func DecodeSiginfo(b *[SiginfoSize]byte) (Siginfo, bool) {
	i := Siginfo{
		Signo: Signal(binary.LittleEndian.Uint32(b[0:])),
		Errno: int32(binary.LittleEndian.Uint32(b[4:])),
		Code:  int32(binary.LittleEndian.Uint32(b[8:])),
	}
	copy(i.Data[:], b[16:])
	for _, c := range b[16+len(i.Data):] {
		if c != 0 {
			return i, false
		}
	}
	return i, true
}
