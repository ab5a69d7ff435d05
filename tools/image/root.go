package image

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"mult/tools/host"
	"mult/tools/progress"
)

// rootFiles is laid over the root image as it is, all of it mode 0644.
//
//go:embed root
var rootFiles embed.FS

// rootDirs are the directories of the root image besides those of the files
// and applets, and those whose mode isn't 0755.
var rootDirs = []struct {
	path string
	mode fs.FileMode
}{
	{"dev", 0o755},
	{"etc/inst", 0o755},
	{"home", 0o755},
	{"mnt", 0o755},
	{"proc", 0o755},
	{"root", 0o700},
	{"run", 0o755},
	{"tmp", 0o777 | fs.ModeSticky},
	{"var/log", 0o755},
	{"var/tmp", 0o777 | fs.ModeSticky},
}

// Root builds the root image, an EROFS file system, and returns the path of
// build/root.erofs. It holds busybox with a link for each applet where Debian
// puts the program of that name, our own programs, and the files of root/.
func Root(ctx context.Context, out io.Writer) (string, error) {
	build, _, err := buildDir()
	if err != nil {
		return "", err
	}
	image := filepath.Join(build, "root.erofs")
	return image, root(ctx, out, image, "")
}

// RootWith builds a root image at a path, each time: that of Root, over which
// what is in the directory add is laid.
func RootWith(ctx context.Context, out io.Writer, image, add string) error {
	return root(ctx, out, image, add)
}

func root(ctx context.Context, out io.Writer, image, add string) error {
	busybox, err := host.Busybox.Find()
	if err != nil {
		return err
	}
	own, err := programs(ctx)
	if err != nil {
		return err
	}
	id, err := rootID(busybox, own)
	if err != nil {
		return fmt.Errorf("root image: %w", err)
	}
	if got, err := volumeID(image); err == nil && got == id && add == "" {
		return nil
	}
	err = progress.Step(out, "root image "+filepath.Base(image), func() error {
		return buildRoot(ctx, filepath.Dir(image), image, busybox, own, add, id)
	})
	if err != nil {
		return fmt.Errorf("root image: %w", err)
	}
	return nil
}

// rootID is a hash of all that goes into the root image. The image carries it
// as its volume id, so it tells by itself whether it is up to date.
func rootID(busybox string, own []program) (id [16]byte, err error) {
	h := sha256.New()
	for _, p := range append([]program{{file: busybox}}, own...) {
		f, err := os.Open(p.file)
		if err != nil {
			return id, err
		}
		defer f.Close()
		if _, err := io.Copy(h, f); err != nil {
			return id, err
		}
		fmt.Fprint(h, p.path, p.links)
	}
	fmt.Fprint(h, rootDirs)
	err = eachRootFile(func(name string, text []byte) error {
		fmt.Fprintf(h, "%q %q", name, text)
		return nil
	})
	copy(id[:], h.Sum(nil))
	return id, err
}

// eachRootFile calls do for every file of root/.
func eachRootFile(do func(name string, text []byte) error) error {
	return fs.WalkDir(rootFiles, "root", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := rootFiles.ReadFile(name)
		if err != nil {
			return err
		}
		return do(strings.TrimPrefix(name, "root/"), text)
	})
}

// volumeID reads the volume id from an EROFS image.
func volumeID(image string) (id [16]byte, err error) {
	const at = 1024 + 48 // the superblock, its field uuid
	f, err := os.Open(image)
	if err != nil {
		return id, err
	}
	defer f.Close()
	_, err = f.ReadAt(id[:], at)
	return id, err
}

func buildRoot(ctx context.Context, build, image, busybox string, own []program, add string, id [16]byte) error {
	tmp, err := os.MkdirTemp(build, "root-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	stage, unfinished := filepath.Join(tmp, "root"), filepath.Join(tmp, "root.erofs")
	if err := stageRoot(ctx, stage, busybox); err != nil {
		return err
	}
	for _, p := range own {
		if err := p.stage(stage); err != nil {
			return err
		}
	}
	if add != "" {
		cmd := exec.CommandContext(ctx, "cp", "-a", "--remove-destination", filepath.Clean(add)+"/.", stage)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("adding %s: %w\n%s", add, err, text)
		}
	}
	uuid := fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	cmd := exec.CommandContext(ctx, host.EROFS.Program, "--quiet", "--all-root", "-T0", "-U"+uuid, unfinished, stage)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", host.EROFS.Program, err, text)
	}
	return os.Rename(unfinished, image)
}

// stageRoot makes a directory tree with the content of the root image.
func stageRoot(ctx context.Context, stage, busybox string) error {
	if err := makeDir(stage); err != nil {
		return err
	}
	bin, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(stage, "bin/busybox"), bin, 0o755); err != nil {
		return err
	}
	applets, err := exec.CommandContext(ctx, busybox, "--list-full").Output()
	if err != nil {
		return fmt.Errorf("%s --list-full: %w", busybox, err)
	}
	for applet := range strings.Lines(string(applets)) {
		link := path.Join("/", strings.TrimSpace(applet))
		if link == "/bin/busybox" {
			continue
		}
		link = filepath.Join(stage, link)
		if err := errors.Join(makeDir(filepath.Dir(link)), os.Symlink("/bin/busybox", link)); err != nil {
			return err
		}
	}
	for _, d := range rootDirs {
		dir := filepath.Join(stage, d.path)
		if err := errors.Join(makeDir(dir), os.Chmod(dir, d.mode)); err != nil {
			return err
		}
	}
	return eachRootFile(func(name string, text []byte) error {
		return writeFile(filepath.Join(stage, name), text, 0o644)
	})
}

// writeFile writes a file with its directory, with just the mode given: the
// user's umask has no say.
func writeFile(name string, data []byte, mode fs.FileMode) error {
	if err := makeDir(filepath.Dir(name)); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(name, data, mode), os.Chmod(name, mode))
}

// makeDir makes dir, and what is missing above it, with mode 0755.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755))
}
