package usertest

import (
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/image"
	"mult/userland/instinit"
)

// rootsScript is /test/roots.
//
//go:embed roots.sh
var rootsScript []byte

// addRoot puts a directory into the root image that can be the root of an instance.
func addRoot(t *testing.T, add string) error {
	busybox, err := host.Busybox.Find()
	if err != nil {
		return err
	}
	gcc, err := host.GCC.Find()
	if err != nil {
		return err
	}
	program, err := instinit.Build(gcc, t.TempDir())
	if err != nil {
		return err
	}
	web := filepath.Join(add, "srv/web")
	for _, d := range []string{"bin", "sbin", "etc", "dir"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(web, d), 0o755))
	}
	for name, from := range map[string]string{"bin/busybox": busybox, "sbin/instinit": program} {
		text, e := os.ReadFile(from)
		err = errors.Join(err, e, os.WriteFile(filepath.Join(web, name), text, 0o755))
	}
	for _, name := range []string{"sh", "cat", "ls", "mv", "rm", "wc", "df", "readlink"} {
		err = errors.Join(err, os.Symlink("busybox", filepath.Join(web, "bin", name)))
	}
	for name, text := range map[string]string{"etc/conf": "image\n", "etc/gone": "gone\n", "etc/other": "other\n", "dir/file": "file\n"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(web, name), []byte(text), 0o644))
	}
	return errors.Join(err, os.MkdirAll(filepath.Join(add, "test"), 0o755),
		os.WriteFile(filepath.Join(add, "test/roots"), rootsScript, 0o755))
}

// TestRoots makes instances whose roots are directories, of the image and new ones.
func TestRoots(t *testing.T) {
	for _, n := range needs {
		hosttest.Require(t, n)
	}
	dir := t.TempDir()
	add, root := filepath.Join(dir, "add"), filepath.Join(dir, "root.erofs")
	if err := addRoot(t, add); err != nil {
		t.Fatal(err)
	}
	if err := image.RootWith(t.Context(), os.Stderr, root, add); err != nil {
		t.Fatal(err)
	}
	g := qemutest.Start(t.Context(), t, qemu.Config{
		Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB,
		Kernel: kernel, Initrd: root, Append: "run=/test/roots",
	})
	m := g.Expect(`(?s)mult: ready\n(.*)\[ *[0-9.]+\] mult: process 1 ended with status 0`, runLimit)
	g.ExpectEnd(qemu.OK, bootLimit)
	if n, want := strings.Count("\n"+m[1], "\nok "), strings.Count(string(rootsScript), "\nsame "); n != want {
		t.Errorf("%d of %d cases passed:\n%s", n, want, m[1])
	}
}
