package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"mult/boot/option"
	"mult/qemu"
)

// The memory sizes that the kernel is made for.
const (
	minMemory = 128 * qemu.MiB
	maxMemory = 64 * qemu.GiB
)

// options is what the command line asks for.
type options struct {
	build   bool        // build only
	guest   qemu.Config // without what is built
	command string      // to be run; "" for an interactive system
	add     string      // directory to lay over the root image; "" for none
}

// later holds the options of coming versions, each with what it waits for.
var later = []struct{ name, value, waitsFor string }{
	{"disk", "FILE", "disk drivers"},
	{"root", "FILE", "disk drivers"},
}

// parse turns the command line into options. Its errors are one line and say
// what is allowed; options are named as on make's command line.
func parse(args []string) (options, error) {
	var opt options
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it all
	flags.BoolVar(&opt.build, "build", false, "")
	mem := flags.String("mem", "1G", "")
	smp := flags.String("smp", "1", "")
	machine := flags.String("machine", qemu.MicroVM, "")
	flags.StringVar(&opt.guest.CPU, "cpu", "", "")
	flags.StringVar(&opt.guest.Append, "append", "", "")
	flags.StringVar(&opt.command, "run", "", "")
	flags.StringVar(&opt.add, "add", "", "")
	var early error // flag would put its own words around it
	for _, l := range later {
		flags.Func(l.name, "", func(string) error {
			early = fmt.Errorf("%s=%s is not supported by this version yet: it waits for %s",
				strings.ToUpper(l.name), l.value, l.waitsFor)
			return early
		})
	}
	switch err := flags.Parse(args); {
	case early != nil:
		return opt, early
	case errors.Is(err, flag.ErrHelp):
		return opt, errors.New("see make help, and the first lines of tools/run/main.go")
	case err != nil:
		return opt, err
	}
	if flags.NArg() > 0 {
		return opt, fmt.Errorf("unexpected argument %q; everything is an option, see make help", flags.Arg(0))
	}

	var err error
	if opt.guest.Memory, err = memory(*mem); err != nil {
		return opt, err
	}
	opt.guest.CPUs, err = strconv.Atoi(*smp)
	if err != nil || opt.guest.CPUs < 1 || opt.guest.CPUs > qemu.MaxCPUs {
		return opt, fmt.Errorf("SMP=%s: allowed are numbers of CPUs from 1 to %d", *smp, qemu.MaxCPUs)
	}
	if *machine != qemu.MicroVM && *machine != qemu.Q35 {
		return opt, fmt.Errorf("MACHINE=%s: allowed are %s and %s", *machine, qemu.MicroVM, qemu.Q35)
	}
	opt.guest.Machine = *machine
	if !cpuModel.MatchString(opt.guest.CPU) {
		return opt, fmt.Errorf("CPU=%s: allowed is a QEMU CPU model with features, such as max,-erms", opt.guest.CPU)
	}
	if strings.ContainsAny(opt.guest.Append, "\r\n") {
		return opt, errors.New("APPEND: allowed are kernel options on one line")
	}
	if opt.add != "" {
		if info, err := os.Stat(opt.add); err != nil || !info.IsDir() {
			return opt, fmt.Errorf("ADD=%s: allowed is a directory", opt.add)
		}
	}
	if opt.command != "" {
		opt.guest.Command = true
		opt.guest.Append = strings.TrimSpace("run=" + option.Encode(opt.command) + " " + opt.guest.Append)
		if len(opt.guest.Append) > option.MaxLine-100 {
			return opt, errors.New("RUN: the command is too long for the kernel's command line; put it into a file with ADD")
		}
	}
	return opt, nil
}

var (
	memSize  = regexp.MustCompile(`^([1-9][0-9]{0,8})([MG])$`)
	cpuModel = regexp.MustCompile(`^[\w.+,=-]*$`)
)

// memory reads a size such as 512M.
func memory(s string) (int64, error) {
	var n int64
	if m := memSize.FindStringSubmatch(s); m != nil {
		n, _ = strconv.ParseInt(m[1], 10, 64) // nine digits fit
		n *= map[string]int64{"M": qemu.MiB, "G": qemu.GiB}[m[2]]
	}
	if n < minMemory || n > maxMemory {
		return 0, fmt.Errorf("MEM=%s: allowed are whole numbers of M or G from %dM to %dG",
			s, minMemory/qemu.MiB, maxMemory/qemu.GiB)
	}
	return n, nil
}
