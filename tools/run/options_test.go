package main

import (
	"reflect"
	"strings"
	"testing"

	"mult/qemu"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want options
	}{
		{"nothing", nil, options{guest: qemu.Config{
			Machine: "microvm", Memory: qemu.GiB, CPUs: 1}}},
		{"everything", []string{"-mem", "6G", "-smp", "2", "-machine", "q35", "-cpu", "max,-erms,+avx2", "-append", "a=1 b"},
			options{guest: qemu.Config{
				Machine: "q35", Memory: 6 * qemu.GiB, CPUs: 2, CPU: "max,-erms,+avx2", Append: "a=1 b"}}},
		{"least memory", []string{"-mem", "128M"}, options{guest: qemu.Config{
			Machine: "microvm", Memory: 128 * qemu.MiB, CPUs: 1}}},
		{"command", []string{"-run", "echo \"50 %\"", "-add", "."}, options{command: "echo \"50 %\"", add: ".", guest: qemu.Config{
			Machine: "microvm", Memory: qemu.GiB, CPUs: 1, Command: true, Append: "run=echo%20%2250%20%25%22"}}},
		{"build only", []string{"-build"}, options{build: true, guest: qemu.Config{
			Machine: "microvm", Memory: qemu.GiB, CPUs: 1}}},
	}
	for _, tt := range tests {
		got, err := parse(tt.args)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		args string
		want string // part of the error: the option, and what is allowed
	}{
		{"-mem 12Q", "MEM=12Q: allowed are whole numbers of M or G from 128M to 64G"},
		{"-mem 127M", "MEM=127M: allowed"},
		{"-mem 65G", "MEM=65G: allowed"},
		{"-mem 999999999G", "MEM=999999999G: allowed"},
		{"-mem 1g", "MEM=1g: allowed"},
		{"-mem -1G", "MEM=-1G: allowed"},
		{"-mem 1.5G", "MEM=1.5G: allowed"},
		{"-smp 0", "SMP=0: allowed are numbers of CPUs from 1 to 255"},
		{"-smp 256", "SMP=256: allowed"},
		{"-smp two", "SMP=two: allowed"},
		{"-machine foo", "MACHINE=foo: allowed are microvm and q35"},
		{"-cpu a/b", "CPU=a/b: allowed is"},
		{"-append a\nb", "APPEND: allowed"},
		{"-disk a:_b", "DISK=FILE is not supported by this version yet: it waits for disk drivers"},
		{"-root x", "ROOT=FILE is not supported"},
		{"-add no-such-directory", "ADD=no-such-directory: allowed is a directory"},
		{"-nonsense", "-nonsense"},
		{"-mem", "-mem"},
		{"extra", `unexpected argument "extra"`},
	}
	for _, tt := range tests {
		_, err := parse(strings.Split(tt.args, " "))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", tt.args, err, tt.want)
		}
	}
}
