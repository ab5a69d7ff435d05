package image

import (
	"encoding/binary"

	"mult/arch"
	"mult/kern/errno"
	"mult/kern/vm"
)

// This file writes what lies below the strings of a new stack, as
// create_elf_tables in Linux's fs/binfmt_elf.c does. From the top down: room
// of random size, the name of the platform, 16 random bytes, the auxiliary
// vector, the pointers to the environment and to the arguments, each ended by
// a null, and, where the stack pointer starts, the number of arguments.

// Keys of the auxiliary vector, include/uapi/linux/auxvec.h.
const (
	atNull        = 0
	atPhdr        = 3
	atPhent       = 4
	atPhnum       = 5
	atPagesz      = 6
	atBase        = 7
	atFlags       = 8
	atEntry       = 9
	atUID         = 11
	atEUID        = 12
	atGID         = 13
	atEGID        = 14
	atPlatform    = 15
	atHWCAP       = 16
	atClktck      = 17
	atSecure      = 23
	atRandom      = 25
	atHWCAP2      = 26
	atExecfn      = 31
	atSysinfoEhdr = 33
	atMinSigStack = 51
)

const (
	clockTicks = 100 // USER_HZ
	platform   = "x86_64\x00"
	randomSize = 16
	alignBits  = 13 // random bits of the room, in bytes
	auxEntries = 24
	// firstUse is what a small program needs of its stack when it begins to work.
	firstUse = 1024
)

// Finish completes the stack of a program that Load has mapped and hands
// everything to the caller.
func (b *Builder) Finish(a Aux) (*Image, error) {
	if err := b.flush(); err != nil {
		return nil, err
	}
	s, e := &b.stack, &b.elf
	img := &Image{
		Space: b.space, Program: b.program, IP: vm.Addr(e.start),
		ArgStart:  s.p,
		CodeStart: vm.Addr(e.codeStart), CodeEnd: vm.Addr(e.codeEnd),
		DataStart: vm.Addr(e.dataStart), DataEnd: vm.Addr(e.dataEnd),
		Brk: vm.Addr(e.brk),
	}

	var small [randomSize + len(platform)]byte
	b.sys.Machine.Random(small[:randomSize])
	copy(small[randomSize:], platform)
	words := 1 + s.argc + 1 + s.envc + 1
	p := (uint64(s.p) - b.gap(uint64(len(small)+auxEntries*2*ptrSize+words*ptrSize))) &^ 15
	p -= uint64(len(small))
	if err := b.space.CopyOut(vm.Addr(p), small[:]); err != nil {
		return nil, err
	}
	img.Auxv = b.auxv(&a, p, p+randomSize)

	sp := (p - uint64(len(img.Auxv)) - uint64(words*ptrSize)) &^ 15
	img.SP = vm.Addr(sp)
	w := wordWriter{space: b.space, at: img.SP, buf: s.page[:0]}
	if err := b.writeVectors(&w, img); err != nil {
		return nil, err
	}
	b.space.SetLimits(b.limits)
	b.program = nil
	b.end()
	return img, nil
}

// gap returns how many bytes are left free below the strings, at random: as on Linux, but
// not so many that a program with few strings begins to work in another page than that of
// its strings, if size bytes follow. Many a process that only waits has just this page.
func (b *Builder) gap(size uint64) uint64 {
	room := uint64(b.stack.p) % pageSize
	if size += firstUse; size < room {
		return b.random(32) % (room - size)
	}
	return b.random(alignBits)
}

// auxv returns the auxiliary vector, in the order of Linux.
func (b *Builder) auxv(a *Aux, random, platform uint64) []byte {
	v := make([]byte, 0, auxEntries*2*ptrSize)
	add := func(key, value uint64) {
		v = binary.LittleEndian.AppendUint64(v, key)
		v = binary.LittleEndian.AppendUint64(v, value)
	}
	if a.VDSO != 0 {
		add(atSysinfoEhdr, uint64(a.VDSO))
	}
	if a.SigFrame != 0 {
		add(atMinSigStack, a.SigFrame)
	}
	add(atHWCAP, a.HWCAP)
	add(atPagesz, arch.PageSize)
	add(atClktck, clockTicks)
	add(atPhdr, b.elf.phdrs)
	add(atPhent, phdrSize)
	add(atPhnum, uint64(b.elf.phnum))
	add(atBase, b.elf.interpBase)
	add(atFlags, 0)
	add(atEntry, b.elf.entry)
	add(atUID, uint64(a.UID))
	add(atEUID, uint64(a.EUID))
	add(atGID, uint64(a.GID))
	add(atEGID, uint64(a.EGID))
	secure := uint64(0)
	if a.Secure {
		secure = 1
	}
	add(atSecure, secure)
	add(atRandom, random)
	add(atHWCAP2, a.HWCAP2)
	add(atExecfn, uint64(b.stack.pathAddr))
	add(atPlatform, platform)
	add(atNull, 0)
	return v
}

// writeVectors writes from the number of arguments to the end of the auxiliary
// vector. It finds the strings by reading them: nobody but b has the space.
func (b *Builder) writeVectors(w *wordWriter, img *Image) error {
	s := &b.stack
	w.put(uint64(s.argc))
	start, at, left := s.p, s.p, s.argc+s.envc
	img.EnvStart, img.EnvEnd = s.pathAddr, s.pathAddr
	for left > 0 {
		n := min(pageSize, uint64(s.pathAddr-at))
		if n == 0 {
			return errno.EINVAL
		}
		if err := b.space.CopyIn(b.buf[:n], at); err != nil {
			return err
		}
		for i, c := range b.buf[:n] {
			if c != 0 || left == 0 {
				continue
			}
			w.put(uint64(start))
			start = at + vm.Addr(i) + 1
			left--
			if left == s.envc {
				img.EnvStart = start
				w.put(0)
			}
		}
		at += vm.Addr(n)
	}
	img.ArgEnd, img.EnvEnd = img.EnvStart, start
	w.put(0)
	for i := 0; i < len(img.Auxv); i += ptrSize {
		w.put(binary.LittleEndian.Uint64(img.Auxv[i:]))
	}
	return w.flush()
}

// A wordWriter writes 8-byte words to rising addresses. The first error stays.
type wordWriter struct {
	space *vm.Space
	at    vm.Addr
	buf   []byte
	err   error
}

func (w *wordWriter) put(v uint64) {
	if len(w.buf)+ptrSize > cap(w.buf) {
		w.flush()
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, v)
}

// flush writes what was put so far and returns the first error.
func (w *wordWriter) flush() error {
	if w.err == nil {
		w.err = w.space.CopyOut(w.at, w.buf)
	}
	w.at += vm.Addr(len(w.buf))
	w.buf = w.buf[:0]
	return w.err
}
