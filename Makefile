# make help says what there is. All work is done by the Go programs in tools/.

GO ?= go
T ?= 10m

help:
	@echo 'make run     boot the kernel on this terminal; settings, all optional:'
	@echo '               MEM=1G  SMP=2  MACHINE=microvm|q35  CPU=model  APPEND="options"'
	@echo '               RUN="command"  ADD=directory'
	@echo '             of coming versions, refused by this one: DISK=file...  ROOT=file'
	@echo 'make build   build kernel and root image only'
	@echo 'make demo    boot, and start, use and stop a thousand instances; settings: N=1000  MEM=4G'
	@echo 'make test    go vet, tests on the host, boot tests in QEMU'
	@echo 'make long    stress tests for T=$(T)'
	@echo 'make fuzz    fuzz tests for T=$(T): system calls and programs in a guest, parsers'
	@echo 'make bench   measurements, as ratios'
	@echo 'make clean   remove build/; the toolchain stays in your cache directory'

# A setting as a flag, quoted for the shell; make itself expands nothing in it.
quote = '$(subst ','\'',$(1))'
flag = $(if $(value $(1)),-$(2) $(call quote,$(value $(1))))

# DISK may be given more than once, of which make itself keeps the last.
DISKS = $(or $(shell tr '\0' '\n' </proc/$$PPID/cmdline | sed -n 's/^DISK=//p'),$(DISK))

run: build/run
	@build/run $(call flag,MEM,mem) $(call flag,SMP,smp) $(call flag,MACHINE,machine) \
		$(call flag,CPU,cpu) $(foreach d,$(DISKS),-disk $(call quote,$(d))) \
		$(call flag,ROOT,root) $(call flag,RUN,run) $(call flag,ADD,add) $(call flag,APPEND,append)

demo: build/run
	@build/run -machine q35 -smp 2 -mem $(call quote,$(or $(value MEM),4G)) \
		-add userland/demo/root -run $(call quote,/demo/run $(or $(value N),1000))

build: build/run
	@build/run -build

test: build/test
	@build/test

long: build/test
	@build/test -long $(call quote,$(T))

fuzz: build/test
	@build/test -fuzz $(call quote,$(T))

bench: build/bench
	@build/bench

build/%: FORCE
	@$(GO) build -buildvcs=false -o $@ ./tools/$*

clean:
	rm -rf build

.PHONY: help run demo build test long fuzz bench clean FORCE
