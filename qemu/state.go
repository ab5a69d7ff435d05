package qemu

import (
	"debug/elf"
	"debug/gosym"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What the processors of a guest that hangs are doing.

// stackWords is how much of each stack is searched for return addresses.
const stackWords = 256

// State tells for each processor where it is: its registers and the functions
// whose addresses are found on its stack, some of which may have returned. It
// looks twice, a moment apart, so that a loop can be told from a halt.
func (vm *VM) State() string {
	table := symbols(vm.cfg.Kernel)
	var b strings.Builder
	for look := range 2 {
		if look > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		for cpu := range max(1, vm.cfg.CPUs) {
			regs, err := vm.hmp("info registers", cpu)
			if err != nil {
				return b.String() + err.Error()
			}
			ip, sp := register(regs, "RIP"), register(regs, "RSP")
			fmt.Fprintf(&b, "CPU %d: %s\n", cpu, where(table, ip))
			if look > 0 {
				continue
			}
			for line := range strings.Lines(regs) {
				if strings.HasPrefix(line, "R") || strings.HasPrefix(line, "CR") {
					fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(line))
				}
			}
			words, _ := vm.hmp(fmt.Sprintf("x /%dgx %#x", stackWords, sp), cpu)
			for _, s := range stackWord.FindAllString(words, -1) {
				w, _ := strconv.ParseUint(s[2:], 16, 64)
				if fn := function(table, w); fn != "" {
					fmt.Fprintf(&b, "    %s\n", fn)
				}
			}
		}
	}
	for _, what := range []string{"info lapic", "info pic", "info irq"} {
		s, _ := vm.hmp(what, 0)
		fmt.Fprintf(&b, "%s:\n", what)
		for line := range strings.Lines(s) {
			if !strings.Contains(line, " masked ") {
				b.WriteString("  " + line)
			}
		}
	}
	return strings.ReplaceAll(b.String(), "\r", "")
}

var stackWord = regexp.MustCompile(`0xffffffff[0-9a-f]{8}`)

// hmp runs a command for people on the monitor.
func (vm *VM) hmp(line string, cpu int) (out string, err error) {
	args := map[string]any{"command-line": line, "cpu-index": cpu}
	err = vm.monitor.executeWith("human-monitor-command", args, &out)
	return out, err
}

// register finds a register in the output of "info registers".
func register(regs, name string) uint64 {
	_, after, _ := strings.Cut(regs, name+"=")
	v, _ := strconv.ParseUint(after[:min(16, len(after))], 16, 64)
	return v
}

// symbols reads the line table of a Go program; nil if there is none.
func symbols(path string) *gosym.Table {
	f, err := elf.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	section, text := f.Section(".gopclntab"), f.Section(".text")
	if section == nil || text == nil {
		return nil
	}
	lines, err := section.Data()
	if err != nil {
		return nil
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(lines, text.Addr))
	if err != nil {
		return nil
	}
	return table
}

func where(table *gosym.Table, ip uint64) string {
	if fn := function(table, ip); fn != "" {
		return fn
	}
	return fmt.Sprintf("%#x", ip)
}

// function names the function and line of a code address, "" if it is none.
func function(table *gosym.Table, pc uint64) string {
	if table == nil {
		return ""
	}
	file, line, fn := table.PCToLine(pc)
	if fn == nil {
		return ""
	}
	return fmt.Sprintf("%#x %s %s:%d", pc, fn.Name, file[strings.LastIndexByte(file, '/')+1:], line)
}
