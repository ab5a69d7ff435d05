package toolchain

// runtimeEdits make the runtime run on the bare machine. What they call is in
// _goroot/src/runtime.
var runtimeEdits = []edit{
	{"runtime/proc.go", "no threads but ours",
		`if GOARCH == "wasm" {`,
		`if GOARCH == "wasm" || GOOS == "tamago" {`, 5},
	{"runtime/proc.go", "no sysmon",
		`const haveSysmon = GOARCH != "wasm"` + "\n",
		`const haveSysmon = GOARCH != "wasm" && GOOS != "tamago"` + "\n", 1},
	{"runtime/proc.go", "no deadlock where an interrupt may come",
		`if (islibrary || isarchive) && GOARCH != "wasm" {`,
		`if (islibrary || isarchive) && GOARCH != "wasm" || GOOS == "tamago" {`, 1},
	{"runtime/proc.go", "a P without an M is handed off", `
	nmp := mget()
	if nmp == nil {
		// No M is available, we must drop`, `
	nmp := mget()
	if nmp == nil && handOff(pp, spinning) {
		// Every processor has its M: the next that is free takes pp.
		if !lockheld {
			unlock(&sched.lock)
		}
		netpollBreak()
		releasem(mp)
		return
	}
	if nmp == nil {
		// No M is available, we must drop`, 1},
	{"runtime/proc.go", "an M that would idle takes a P handed off", `
func mput(mp *m) {
	assertLockHeld(&sched.lock)
`, `
func mput(mp *m) {
	assertLockHeld(&sched.lock)

	if handedIdle(mp) {
		return
	}
`, 1},
	{"runtime/proc.go", "and so does the M that waited for timers", `
			goto top
		}
		lock(&sched.lock)
		pp, _ := pidleget(now)
		unlock(&sched.lock)
`, `
			goto top
		}
		lock(&sched.lock)
		pp := handedP(mp)
		if pp == nil {
			pp, _ = pidleget(now)
		}
		unlock(&sched.lock)
`, 1},
	{"runtime/proc.go", "which may have been handed to a spinning M",
		"			if wasSpinning {\n",
		"			if wasSpinning && !mp.spinning {\n", 1},
	{"runtime/proc.go", "startTheWorld takes an existing M", `
		} else {
			// Start M to run P.  Do not start another M below.
			newm(nil, p, -1)
`, `
		} else if id, ok := startOldM(p); !ok {
			// Start M to run P.  Do not start another M below.
			newm(nil, p, id)
`, 1},
	{"runtime/proc.go", "findRunnable looks for interrupts", `
	// now and pollUntil are saved for work stealing later,
`, `
	irqPoll()

	// now and pollUntil are saved for work stealing later,
`, 1},
	{"runtime/proc.go", "no M is kept for one goroutine", `
func LockOSThread() {
`, `
func LockOSThread() {
	if GOOS == "tamago" {
		return // its processor would idle whenever the goroutine waits
	}
`, 1},
	{"runtime/proc.go", "nor for main while it initialises", `
func lockOSThread() {
`, `
func lockOSThread() {
	if GOOS == "tamago" {
		return // main may be on another M when it unlocks
	}
`, 1},
	{"runtime/proc.go", "which is not to be undone either", `
func unlockOSThread() {
`, `
func unlockOSThread() {
	if GOOS == "tamago" {
		return
	}
`, 1},
	// How long a goroutine had no processor: away_tamago.go.
	{"runtime/runtime2.go", "a goroutine's time without a processor",
		"	trackingStamp   int64 //", `
	left            int64 // when it left its processor, in ticks of cputicks
	away            int64 // ticks without a processor, beside those since left
	trackingStamp   int64 //`[1:], 1},
	{"runtime/proc.go", "which begins when it leaves its M", `
func dropg() {
	gp := getg()
`, `
func dropg() {
	gp := getg()
	leaveCPU(gp.m.curg)
`, 1},
	{"runtime/proc.go", "and ends when it has one again", `
	// Assign gp.m before entering _Grunning so running Gs have an M.
	mp.curg = gp
	gp.m = mp
`, `
	// Assign gp.m before entering _Grunning so running Gs have an M.
	enterCPU(gp)
	mp.curg = gp
	gp.m = mp
`, 1},
	{"runtime/debug.go", "GOMAXPROCS is bounded by the CPUs", `
	if GOARCH == "wasm" && n > 1 {`, `
	n = maxProcs(n)
	if GOARCH == "wasm" && n > 1 {`, 1},

	// The heap has one entry of the top-level page table to itself: 512 GiB
	// from 0xffffc00000000000 in arenas of 4 MiB.
	{"runtime/malloc.go", "heap address bits",
		`(1-goarch.IsWasm)*(1-goos.IsIos*goarch.IsArm64))*48`,
		`(1-goarch.IsWasm)*(1-goos.IsIos*goarch.IsArm64))*(48-9*goos.IsTamago)`, 1},
	{"runtime/malloc.go", "arena size",
		`logHeapArenaBytes = (6+20)*(_64bit*(1-goos.IsWindows)`,
		`logHeapArenaBytes = (6+20-4*goos.IsTamago)*(_64bit*(1-goos.IsWindows)`, 1},
	{"runtime/malloc.go", "heap base",
		`arenaBaseOffset = 0xffff800000000000*goarch.IsAmd64 +`,
		`arenaBaseOffset = (0xffff800000000000+0x0000400000000000*goos.IsTamago)*goarch.IsAmd64 +`, 1},
	// The window is filled in order: an address at random is never to be had,
	// and one in 512 times it is 0, which the heap takes for a success.
	{"runtime/malloc.go", "no random heap base",
		`randomizeHeapBase = goexperiment.RandomizedHeapBase64 &&`,
		`randomizeHeapBase = goexperiment.RandomizedHeapBase64 && goos.IsTamago == 0 &&`, 1},
}

// runtimeSelections choose among the files of the runtime.
var runtimeSelections = []selection{
	{"runtime/mmap.go", false},
	{"runtime/stubs2.go", false},
	{"runtime/stubs3.go", false},
	{"runtime/timestub2.go", false},
}
