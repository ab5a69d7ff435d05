package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mult/tools/host"
	"mult/tools/progress"
)

// linuxKernel returns the peer: Debian's kernel for virtual machines, as an
// ELF file that QEMU starts at its PVH entry, just as it starts ours. The
// package is fetched with apt the first time, not installed; what is needed
// of it stays in the user's cache.
func linuxKernel(ctx context.Context, log io.Writer) (path, version string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	cache = filepath.Join(cache, "mult", "linux")
	const prefix = "vmlinux-"
	find := func() bool {
		found, _ := filepath.Glob(filepath.Join(cache, prefix+"*"))
		if len(found) == 0 {
			return false
		}
		path = found[len(found)-1]
		version = strings.TrimPrefix(filepath.Base(path), prefix)
		return true
	}
	if find() {
		return path, version, nil
	}
	err = progress.Step(log, "fetching Debian's cloud kernel, once", func() error {
		return fetchKernel(ctx, log, cache, prefix)
	})
	if err == nil && !find() {
		err = fmt.Errorf("no kernel in %s", cache)
	}
	return path, version, err
}

// fetchKernel puts the kernel into the directory cache, named after its version.
func fetchKernel(ctx context.Context, log io.Writer, cache, prefix string) error {
	const meta, image = "linux-image-cloud-amd64", "linux-image-"
	depends, err := host.Depends(ctx, log, meta)
	if err != nil {
		return err
	}
	name := ""
	for _, d := range depends {
		if strings.HasPrefix(d, image) {
			name = d
		}
	}
	if name == "" {
		return fmt.Errorf("%s depends on no %s...", meta, image)
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := host.Download(ctx, log, name, dir); err != nil {
		return err
	}
	version := strings.TrimPrefix(name, image)
	boot, err := os.ReadFile(filepath.Join(dir, "boot", "vmlinuz-"+version))
	if err != nil {
		return err
	}
	kernel, err := unpack(ctx, boot)
	if err != nil {
		return fmt.Errorf("vmlinuz-%s: %w", version, err)
	}
	elf := filepath.Join(dir, prefix+version)
	if err := os.WriteFile(elf, kernel, 0o666); err != nil {
		return err
	}
	return os.Rename(elf, filepath.Join(cache, filepath.Base(elf)))
}

// unpack returns the ELF file inside a bzImage.
func unpack(ctx context.Context, image []byte) ([]byte, error) {
	stream, size, err := payload(image)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, host.LZ4.Program, "-d", "-c")
	cmd.Stdin = bytes.NewReader(stream)
	elf, err := cmd.Output()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lz4: %w", err)
	case len(elf) != size:
		return nil, fmt.Errorf("lz4 made %d bytes of it, not %d", len(elf), size)
	case !bytes.HasPrefix(elf, []byte("\x7fELF")):
		return nil, errors.New("what is inside is no ELF file")
	}
	return elf, nil
}

// Fields of a bzImage's header; boot.rst of Linux, "The Real-Mode Kernel Header".
const (
	setupSects    = 0x1f1 // byte: sectors of 512 bytes before the kernel, less 1
	headerMagic   = 0x202 // "HdrS"
	headerVersion = 0x206 // word
	payloadOffset = 0x248 // long: from the start of the kernel; since version 2.08
	payloadLength = 0x24c // long
	headerEnd     = 0x250
)

// payload returns the compressed kernel in a bzImage, which must be an LZ4
// stream of the legacy format, and its size when unpacked. That is the last
// word of what the header calls the payload.
func payload(image []byte) (stream []byte, size int, err error) {
	le := binary.LittleEndian
	if len(image) < headerEnd || string(image[headerMagic:headerVersion]) != "HdrS" ||
		le.Uint16(image[headerVersion:]) < 0x208 {
		return nil, 0, errors.New("it has no header of a bzImage")
	}
	sectors := int(image[setupSects])
	if sectors == 0 {
		sectors = 4
	}
	start := (sectors+1)*512 + int(le.Uint32(image[payloadOffset:]))
	end := start + int(le.Uint32(image[payloadLength:]))
	if end > len(image) || end-start < 8 {
		return nil, 0, errors.New("its header doesn't fit its size")
	}
	if !bytes.HasPrefix(image[start:], []byte{0x02, 0x21, 0x4c, 0x18}) {
		return nil, 0, errors.New("it is not compressed with LZ4")
	}
	return image[start : end-4], int(le.Uint32(image[end-4:])), nil
}
