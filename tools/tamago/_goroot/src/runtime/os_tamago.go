//go:build tamago

// GOOS=tamago on mult: the runtime is the lowest layer of a kernel.
//
// What the runtime needs from the machine comes in two ways. The documented
// hooks of TamaGo, package runtime/goos, are kept: start-up, console bytes,
// random numbers, time, idling, waking and starting of processors. What a
// kernel needs beyond them is declared in this file as functions without a
// body, which the kernel defines with a linkname:
//
//	kernelInit       memory map and page tables, before the first allocation
//	kernelHeapMap    frames below a range of the heap's window
//	kernelHeapUnmap  and back to the frame allocator
//	kernelPreempt    interrupt another processor (preempt_tamago.go)
//	kernelPrint      let output out that is still queued: the runtime prints
//	kernelFault      panic because of a fault in kernel code (trap_tamago_amd64.go)

package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"runtime/goos"
	"unsafe"
)

const (
	_NSIG    = 32
	_SIGSEGV = 0xb
)

// mOS holds the semaphores of an M, see lock_tamago.go. There are two, since
// an idle M that has been registered on a note may still have to take a lock:
// the wait for the lock must not eat the wake-up that the note brings.
type mOS struct {
	lockSema uint32
	noteSema uint32
}

type (
	sigset       struct{}
	gsignalStack struct{}
)

// ncpuOnline is the number of processors that can run an M: the bootstrap
// processor, and those that SetNumCPU has announced.
var ncpuOnline int32 = 1

// nextCPU is the processor that the next M gets, in order of their creation.
// newosproc counts; M and processor stay together for ever.
var nextCPU uint32

// kernelInit is called once, on g0 of the bootstrap processor with its boot
// stack, before memory allocation is initialised.
func kernelInit()

func osinit() {
	physPageSize = 4096
	numCPUStartup = 1
	kernelInit()
}

func getCPUCount() int32 { return ncpuOnline }

// SetNumCPU announces n processors that goos.Task can start; the kernel calls
// it once, after it has found them. GOMAXPROCS becomes n.
func SetNumCPU(n int) {
	stw := stopTheWorldGC(stwGOMAXPROCS)
	ncpuOnline = int32(n)
	numCPUStartup = int32(n)
	newprocs = int32(n)
	startTheWorldGC(stw)
}

// maxProcs clamps an argument of GOMAXPROCS: a processor runs one M, and an M
// without a processor can't exist.
func maxProcs(n int) int { return min(n, int(ncpuOnline)) }

// initsig(false) is called by mstartm0, when the first M can take interrupts.
func initsig(preinit bool) {
	if !preinit {
		goos.Hwinit1()
	}
}

func goenvs() {
	argslice = []string{"mult"}
	envs = []string{"GOTRACEBACK=all"}
}

var rngReady bool

func readRandom(r []byte) int {
	if !rngReady {
		rngReady = true
		goos.InitRNG()
	}
	goos.GetRandomData(r)
	return len(r)
}

//go:linkname sysrand_getRandomData crypto/internal/sysrand.getRandomData
func sysrand_getRandomData(b []byte) { readRandom(b) }

func exit(code int32) {
	if goos.Exit != nil {
		goos.Exit(code)
	}
	for {
		procyield(1000)
	}
}

func crash() { exit(2) }

// kernelPrint is called before the runtime prints something of its own, most
// likely that it dies, on any stack.
func kernelPrint()

func write1(fd uintptr, p unsafe.Pointer, n int32) int32 {
	if fd == 2 {
		kernelPrint()
	}
	for i := int32(0); i < n; i++ {
		goos.Printk(*(*byte)(add(p, uintptr(i))))
	}
	return n
}

//go:linkname syscall_write syscall.runtime_write
func syscall_write(p unsafe.Pointer, n int32) int32 {
	printlock()
	n = write1(1, p, n)
	printunlock()
	return n
}

//go:nosplit
func nanotime1() int64 { return goos.Nanotime() }

// wallOffset is the wall clock, ns since 1970, when nanotime was 0.
var wallOffset atomic.Int64

// SetWallTime sets the wall clock to ns since 1970.
func SetWallTime(ns int64) { wallOffset.Store(ns - nanotime()) }

func walltime() (sec int64, nsec int32) {
	ns := wallOffset.Load() + nanotime()
	return ns / 1e9, int32(ns % 1e9)
}

//go:nosplit
func usleep(usec uint32) {
	deadline := nanotime() + int64(usec)*1000
	for nanotime() < deadline {
		procyield(10)
	}
}

//go:nosplit
func usleep_no_g(usec uint32) { usleep(usec) }

//go:nosplit
func osyield() { procyield(10) }

//go:nosplit
func osyield_no_g() { osyield() }

// newosproc gives mp the next processor. goos.Task must not allocate: its
// caller may have no P.
func newosproc(mp *m) {
	if goos.Task == nil {
		throw("newosproc: goos.Task is not set")
	}
	nextCPU++
	if nextCPU >= uint32(ncpuOnline) {
		throw("newosproc: more Ms than processors")
	}
	mp.procid = uint64(nextCPU)
	goos.Task(unsafe.Pointer(mp.g0.stack.hi-64), unsafe.Pointer(mp), unsafe.Pointer(mp.g0), unsafe.Pointer(abi.FuncPCABI0(mstart)))
}

func mpreinit(mp *m) {
	mp.gsignal = malg(32 * 1024)
	mp.gsignal.m = mp
}

func minit()             {}
func unminit()           {}
func mdestroy(mp *m)     {}
func sigsave(p *sigset)  {}
func sigblock(exit bool) {}

func msigrestore(sigmask sigset) {}

//go:nosplit
//go:nowritebarrierrec
func clearSignalHandlers() {}

func exitThread(wait *atomic.Uint32) { throw("exitThread: an M lives as long as its processor") }

//go:linkname os_sigpipe os.sigpipe
func os_sigpipe() {}

func signame(sig uint32) string { return "" }

func setProcessCPUProfiler(hz int32) {}
func setThreadCPUProfiler(hz int32)  {}
func sigdisable(uint32)              {}
func sigenable(uint32)               {}
func sigignore(uint32)               {}

func open(name *byte, mode, perm int32) int32        { return -1 }
func closefd(fd int32) int32                         { return -1 }
func read(fd int32, p unsafe.Pointer, n int32) int32 { return -1 }
