//go:build tamago

// Command selftest is a kernel that tests the rooms below the kernel proper:
// runtime port, arch/amd64 and boot. The option selftest=NAME chooses a test,
// seconds=N how long those run that take as long as one likes. A test prints
// lines "stat NAME=VALUE" for the harness; the status of the run says how it
// ended. The tests of package qemu/boottest boot it.
package main

import (
	"os"
	"sort"
	"strings"
	"time"

	"mult/boot"
)

// env is what a test works with.
type env struct {
	*boot.Machine
	limit time.Duration // for tests that run until it is over
}

// stat reports a measured value.
func (e *env) stat(name string, value any) { e.Log.Noticef("stat %s=%v", name, value) }

var tests = map[string]func(*env) error{
	"clock":     testClock,
	"console":   testConsole,
	"cpus":      testCPUs,
	"fatal":     testFatal,
	"faults":    testFaults,
	"hardening": testHardening,
	"heap":      testHeap,
	"idle":      testIdle,
	"initrd":    testInitrd,
	"panic":     testPanic,
	"poweroff":  testPowerOff,
	"reboot":    testReboot,
	"stress":    testStress,
	"user":      testUser,
	"wakeup":    testWakeup,
}

func main() {
	e := &env{Machine: boot.Start()}
	e.limit = time.Duration(e.Options.Seconds) * time.Second
	name := e.Options.Selftest
	test := tests[name]
	if test == nil {
		var names []string
		for n := range tests {
			names = append(names, n)
		}
		sort.Strings(names)
		e.end("no test selftest=%q; there are %s", name, strings.Join(names, ", "))
	}
	e.Log.Noticef("selftest %s: start", name)
	e.Flush() // a panic may lose the byte that is just on its way to the line
	if err := test(e); err != nil {
		e.end("%s: %v", name, err)
	}
	e.Log.Noticef("selftest %s: ok", name)
	boot.PowerOff()
}

// end ends a run that failed.
func (e *env) end(format string, args ...any) {
	e.Log.Errf("selftest FAILED: "+format, args...)
	e.Log.Flush()
	os.Exit(boot.StatusFailed)
}
