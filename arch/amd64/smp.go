//go:build tamago

package amd64

import (
	"fmt"
	"runtime"
	"runtime/goos"
	"sync/atomic"
	"time"
	"unsafe"
)

// An application processor starts in real mode at a page below 1 MiB, so its
// first code, trampoline, is copied there. It has a table of its own with
// that page mapped one to one and the kernel's upper half; apEntry leaves it.
const (
	trampolinePA = 0x8000
	// Offsets of what the trampoline reads in its page, see smp.s.
	trampolineCR3   = 0xff0 // uint32
	trampolineEntry = 0xfe8
	trampolineCPU   = 0xfe0
	trampolineGDTR  = 0xfd8 // limit, 32-bit base
	trampolineGDT   = 0xfc8 // null, 64-bit code
)

// startTimeout is how long a processor may take to arrive. An emulated one
// must get its share of the host first.
const startTimeout = 2 * time.Second

// TrampolineRange is the memory that StartCPUs overwrites.
func TrampolineRange() (start, end uint64) { return trampolinePA, trampolinePA + PageSize }

// StartCPUs starts the processors with the given APIC ids, up to limit in all,
// and makes them known to the runtime. It returns an error for
// each that doesn't come.
func StartCPUs(apicIDs []uint32, limit int) (errs []error) {
	limit = min(limit, MaxCPUs)
	goos.ProcID = func() uint64 { return thisCPU().id }
	goos.Task = task
	root, ok := trampolineTable()
	if !ok {
		return []error{fmt.Errorf("no frames below 4 GiB for the start of processors")}
	}
	page := Bytes(trampolinePA, PageSize)
	copy(page, trampolineCode())
	*(*uint32)(unsafe.Pointer(&page[trampolineCR3])) = uint32(root)
	*(*uintptr)(unsafe.Pointer(&page[trampolineEntry])) = apEntryPC()
	*(*uint64)(unsafe.Pointer(&page[trampolineGDT])) = 0
	*(*uint64)(unsafe.Pointer(&page[trampolineGDT+8])) = boot.gdt[selCode/8]
	*(*uint64)(unsafe.Pointer(&page[trampolineGDTR])) = 15 | (trampolinePA+trampolineGDT)<<16

	n := uint32(1)
	for _, id := range apicIDs {
		if id == boot.apicID {
			continue
		}
		if n >= uint32(limit) {
			break
		}
		c := new(CPU)
		c.init(int(n))
		c.apicID = id
		cpus[n] = c
		*(*uintptr)(unsafe.Pointer(&page[trampolineCPU])) = c.self
		if err := c.start(); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
		atomic.StoreUint32(&ncpu, n)
	}
	freeTrampolineTable(root)
	if n > 1 {
		runtime.SetNumCPU(int(n))
	}
	return errs
}

// start sends INIT and up to two start-up IPIs (SDM 3A, 8.4.4).
func (c *CPU) start() error {
	writeICR(c.apicID, icrAssert|icrINIT)
	time.Sleep(10 * time.Millisecond)
	deadline := time.Now().Add(startTimeout)
	for try := 0; try < 2; try++ {
		writeICR(c.apicID, icrAssert|icrStartup|trampolinePA>>12)
		for wait := 200 * time.Microsecond; time.Now().Before(deadline); wait = time.Millisecond {
			if atomic.LoadUint32(&c.online) != 0 {
				return nil
			}
			if try == 0 && time.Until(deadline) < startTimeout-100*time.Millisecond {
				break
			}
			time.Sleep(wait)
		}
	}
	return fmt.Errorf("processor with APIC id %d did not start within %v", c.apicID, startTimeout)
}

// trampolineTable makes the table of the trampoline, below 4 GiB because it
// is loaded in 32-bit mode.
func trampolineTable() (root uint64, ok bool) {
	var pas [3]uint64
	for i := range pas {
		pas[i] = newTable()
		if pas[i] == 0 || pas[i] >= 1<<32 {
			return 0, false
		}
	}
	t := table(pas[0])
	copy(t[256:], table(kernelTable)[256:])
	t[0] = pas[1] | ptePresent | pteWrite
	table(pas[1])[0] = pas[2] | ptePresent | pteWrite
	table(pas[2])[0] = ptePresent | pteWrite | pteLarge
	return pas[0], true
}

func freeTrampolineTable(root uint64) {
	pdpt := table(root)[0] & pteAddr
	Frames.Free(table(pdpt)[0] & pteAddr)
	Frames.Free(pdpt)
	Frames.Free(root)
}

// trampolineCode returns the code for the trampoline's page; smp.s.
func trampolineCode() []byte {
	start, end := trampolineAddrs()
	return unsafe.Slice((*byte)(unsafe.Pointer(start)), end-start)
}

func trampolineAddrs() (start, end uintptr)
func apEntryPC() uintptr

// apInit is called by apEntry on the new processor, on one of its interrupt
// stacks, without a g.
//
//go:nosplit
func apInit(c *CPU) {
	writeCR3(kernelTable)
	loadCPU(c, uintptr(unsafe.Pointer(&c.noTLS))+8)
	apFeatures()
	atomic.StoreUint32(&c.online, 1)
}

// apWait returns, with interrupts off, when the runtime has a thread for c.
//
//go:nosplit
func apWait(c *CPU) {
	atomic.StoreUint32(&c.idle, 1)
	for disableInterrupts(); atomic.LoadUint32(&c.taskReady) == 0; disableInterrupts() {
		halt()
	}
	atomic.StoreUint32(&c.idle, 0)
	atomic.StoreUint32(&c.wake, 0)
	writeCR3(kernelTable) // shootdowns left c out until it was counted
	now := goos.Nanotime()
	c.arm(now+slice, now)
}

// task runs the runtime's next thread on its processor (goos.Task).
func task(sp, mp, gp, fn unsafe.Pointer) {
	c := cpus[runtime.CPUOf(mp)]
	c.taskSP, c.taskG, c.taskFn = uintptr(sp), uintptr(gp), uintptr(fn)
	atomic.StoreUint32(&c.taskReady, 1)
	Wake(c.id)
}
