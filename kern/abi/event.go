package abi

// Sizes of the structures of events.
const (
	PollFdSize     = 8
	EpollEventSize = 12 // packed on x86-64
	IovecSize      = 16
	FdSetBits      = 1024
)

// IOV_MAX is the most elements of a vector of buffers.
const IOV_MAX = 1024

// Events of poll(2) and epoll(7), which have the same numbers.
const (
	POLLIN     = 0x1
	POLLPRI    = 0x2
	POLLOUT    = 0x4
	POLLERR    = 0x8
	POLLHUP    = 0x10
	POLLNVAL   = 0x20
	POLLRDNORM = 0x40
	POLLRDBAND = 0x80
	POLLWRNORM = 0x100
	POLLWRBAND = 0x200
	POLLMSG    = 0x400
	POLLRDHUP  = 0x2000

	EPOLLEXCLUSIVE = 1 << 28
	EPOLLWAKEUP    = 1 << 29
	EPOLLONESHOT   = 1 << 30
	EPOLLET        = 1 << 31
)

// Operations of epoll_ctl(2).
const (
	EPOLL_CTL_ADD = 1
	EPOLL_CTL_DEL = 2
	EPOLL_CTL_MOD = 3
)

// Flags of the calls that make descriptors of events.
const (
	EPOLL_CLOEXEC = O_CLOEXEC

	EFD_SEMAPHORE = 1
	EFD_CLOEXEC   = O_CLOEXEC
	EFD_NONBLOCK  = O_NONBLOCK

	TFD_CLOEXEC             = O_CLOEXEC
	TFD_NONBLOCK            = O_NONBLOCK
	TFD_TIMER_ABSTIME       = 1
	TFD_TIMER_CANCEL_ON_SET = 2
)

// PollFd is struct pollfd.
type PollFd struct {
	FD              int32
	Events, Revents int16
}

// Encode writes p to b.
func (p *PollFd) Encode(b []byte) {
	_ = b[PollFdSize-1]
	put32(b[0:], uint32(p.FD))
	put16(b[4:], uint16(p.Events))
	put16(b[6:], uint16(p.Revents))
}

// Decode reads p from b.
func (p *PollFd) Decode(b []byte) {
	_ = b[PollFdSize-1]
	*p = PollFd{int32(get32(b)), int16(get16(b[4:])), int16(get16(b[6:]))}
}

// EpollEvent is struct epoll_event.
type EpollEvent struct {
	Events uint32
	Data   uint64
}

// Encode writes e to b.
func (e *EpollEvent) Encode(b []byte) {
	_ = b[EpollEventSize-1]
	put32(b, e.Events)
	put64(b[4:], e.Data)
}

// Decode reads e from b.
func (e *EpollEvent) Decode(b []byte) {
	_ = b[EpollEventSize-1]
	*e = EpollEvent{get32(b), get64(b[4:])}
}

// Iovec is struct iovec: a piece of a program's memory.
type Iovec struct{ Base, Len uint64 }

// Encode writes v to b.
func (v *Iovec) Encode(b []byte) {
	_ = b[IovecSize-1]
	put64(b, v.Base)
	put64(b[8:], v.Len)
}

// Decode reads v from b.
func (v *Iovec) Decode(b []byte) {
	_ = b[IovecSize-1]
	*v = Iovec{get64(b), get64(b[8:])}
}
