//go:build tamago

// Command mult is the kernel.
package main

import (
	"fmt"
	"runtime"

	"mult/boot"
	"mult/kern"
)

func main() {
	m := boot.Start()
	m.Log.Noticef("mult %s (%s): %s, %d MiB of memory, clock %s", kern.Version, runtime.Version(), count(m.CPUs, "CPU"), m.Memory>>20, m.Clock)
	m.Log.Noticef("mult: ready")
	switch {
	case m.Options.PowerOff:
		boot.PowerOff()
	case m.Options.Reboot:
		boot.Reboot()
	}
	if m.Initrd == nil {
		m.Log.Warnf("mult: there is no root image to run programs from; the power button ends this")
	} else if err := m.StartKernel(); err != nil {
		m.Log.Errf("mult: can't start: %v", err)
	}
	select {}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
