package abi

// Flags of open(2); those of fcntl(F_SETFL) are the same.
const (
	O_RDONLY    = 0o0
	O_WRONLY    = 0o1
	O_RDWR      = 0o2
	O_ACCMODE   = 0o3
	O_CREAT     = 0o100
	O_EXCL      = 0o200
	O_NOCTTY    = 0o400
	O_TRUNC     = 0o1000
	O_APPEND    = 0o2000
	O_NONBLOCK  = 0o4000
	O_DSYNC     = 0o10000
	O_ASYNC     = 0o20000
	O_DIRECT    = 0o40000
	O_LARGEFILE = 0o100000
	O_DIRECTORY = 0o200000
	O_NOFOLLOW  = 0o400000
	O_NOATIME   = 0o1000000
	O_CLOEXEC   = 0o2000000
	O_SYNC      = 0o4010000
	O_PATH      = 0o10000000
	O_TMPFILE   = 0o20200000
)

// Flags and special descriptors of the *at calls.
const (
	AT_FDCWD            = -100
	AT_SYMLINK_NOFOLLOW = 0x100
	AT_REMOVEDIR        = 0x200
	AT_EACCESS          = 0x200
	AT_SYMLINK_FOLLOW   = 0x400
	AT_NO_AUTOMOUNT     = 0x800
	AT_EMPTY_PATH       = 0x1000
)

// Commands of fcntl(2).
const (
	F_DUPFD         = 0
	F_GETFD         = 1
	F_SETFD         = 2
	F_GETFL         = 3
	F_SETFL         = 4
	F_GETLK         = 5
	F_SETLK         = 6
	F_SETLKW        = 7
	F_SETOWN        = 8
	F_GETOWN        = 9
	F_SETSIG        = 10
	F_GETSIG        = 11
	F_SETOWN_EX     = 15
	F_GETOWN_EX     = 16
	F_OFD_GETLK     = 36
	F_OFD_SETLK     = 37
	F_OFD_SETLKW    = 38
	F_SETLEASE      = 1024
	F_GETLEASE      = 1025
	F_NOTIFY        = 1026
	F_DUPFD_CLOEXEC = 1030
	F_SETPIPE_SZ    = 1031
	F_GETPIPE_SZ    = 1032
	F_ADD_SEALS     = 1033
	F_GET_SEALS     = 1034

	FD_CLOEXEC = 1

	F_OWNER_TID  = 0
	F_OWNER_PID  = 1
	F_OWNER_PGRP = 2
)

// Types of record locks, and operations of flock(2).
const (
	F_RDLCK = 0
	F_WRLCK = 1
	F_UNLCK = 2

	LOCK_SH = 1
	LOCK_EX = 2
	LOCK_NB = 4
	LOCK_UN = 8
)

// Flags of close_range(2).
const (
	CLOSE_RANGE_UNSHARE = 2
	CLOSE_RANGE_CLOEXEC = 4
)

// Origins of lseek(2).
const (
	SEEK_SET  = 0
	SEEK_CUR  = 1
	SEEK_END  = 2
	SEEK_DATA = 3
	SEEK_HOLE = 4
)

// Flags of preadv2(2) and pwritev2(2).
const (
	RWF_HIPRI  = 1
	RWF_DSYNC  = 2
	RWF_SYNC   = 4
	RWF_NOWAIT = 8
	RWF_APPEND = 16
)

// FIONBIO and its like are the ioctls that every file answers.
const (
	FIONBIO  = 0x5421
	FIOASYNC = 0x5452
	FIONREAD = 0x541b
	FIOCLEX  = 0x5451
	FIONCLEX = 0x5450
	FIOQSIZE = 0x5460
)

// FlockSize is the size of struct flock.
const FlockSize = 32

// Flock is struct flock: a record lock as fcntl(2) takes and tells it.
type Flock struct {
	Type, Whence int16
	Start, Len   int64
	PID          int32
}

// Encode writes l to b.
func (l *Flock) Encode(b []byte) {
	b = b[:FlockSize]
	clear(b)
	put16(b[0:], uint16(l.Type))
	put16(b[2:], uint16(l.Whence))
	put64(b[8:], uint64(l.Start))
	put64(b[16:], uint64(l.Len))
	put32(b[24:], uint32(l.PID))
}

// Decode reads l from b.
func (l *Flock) Decode(b []byte) {
	b = b[:FlockSize]
	*l = Flock{
		Type: int16(get16(b[0:])), Whence: int16(get16(b[2:])),
		Start: int64(get64(b[8:])), Len: int64(get64(b[16:])),
		PID: int32(get32(b[24:])),
	}
}
