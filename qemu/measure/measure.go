// Package measure takes measurements of guests that run the test kernel,
// boot/selftest: the values it reports, its clock against the host's, and, to
// judge them by, how late the host's own timers are.
//
// Its functions read the guest's console, so nothing else may wait for output
// of that guest meanwhile.
package measure

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mult/qemu"
)

// Start waits until the test kernel has begun its test of that name.
func Start(vm *qemu.VM, test string, timeout time.Duration) error {
	_, err := vm.Expect(`selftest `+regexp.QuoteMeta(test)+`: start`, timeout)
	return err
}

// Stats returns the values that a test reports up to its success. No two of
// them may be further apart than timeout. If the test fails or the kernel
// panics that is the error, and the values are those reported before.
func Stats(vm *qemu.VM, test string, timeout time.Duration) (map[string]float64, error) {
	pattern := `stat (\w+)=([-+.e0-9]+)\n|selftest ` + regexp.QuoteMeta(test) + `: (ok)\n|FAILED.*\n|panic: .*\n|fatal .*\n`
	stats := map[string]float64{}
	for {
		m, err := vm.Expect(pattern, timeout)
		switch {
		case err != nil:
			return stats, err
		case m[3] != "":
			return stats, nil
		case m[1] == "":
			return stats, fmt.Errorf("selftest %s: %s", test, strings.TrimSpace(m[0]))
		}
		if stats[m[1]], err = strconv.ParseFloat(m[2], 64); err != nil {
			return stats, err
		}
	}
}
