package tmpfs

import (
	"math"
	"strconv"
	"strings"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/mem"
)

// Defaults returns the options of a file system that mount(2) makes without
// saying more, on a machine with a number of pages: as on Linux, half of them
// for content, and as many files.
func Defaults(total uint64) Options {
	half := max(1, int64(total/2))
	return Options{MaxPages: half, MaxNodes: half}
}

// Parse sets in o what the options of mount(2) say, such as "size=10m,mode=755".
// Percents are those of total pages. EINVAL if one is unknown or wrong.
func (o *Options) Parse(s string, total uint64) error {
	for s != "" {
		var opt string
		opt, s, _ = strings.Cut(s, ",")
		if opt == "" {
			continue
		}
		if err := o.parse(opt, total); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) parse(opt string, total uint64) error {
	name, val, _ := strings.Cut(opt, "=")
	var n uint64
	var err error
	switch name {
	case "size":
		o.MaxPages, err = parseSize(val, total)
	case "nr_blocks":
		n, err = parseAmount(val)
		o.MaxPages = limit(n)
	case "nr_inodes":
		n, err = parseAmount(val)
		o.MaxNodes = limit(n)
	case "mode":
		n, err = strconv.ParseUint(val, 8, 32)
		// The type tells a mode of 0 from none.
		o.Mode = uint32(n)&0o7777 | abi.S_IFDIR
	case "uid":
		n, err = strconv.ParseUint(val, 10, 32)
		o.UID = uint32(n)
	case "gid":
		n, err = strconv.ParseUint(val, 10, 32)
		o.GID = uint32(n)
	case "inode64":
	default:
		return errno.EINVAL
	}
	if err != nil || (o.UID == math.MaxUint32 || o.GID == math.MaxUint32) {
		return errno.EINVAL
	}
	return nil
}

// limit returns the limit that a number stands for: 0 is none.
func limit(n uint64) int64 {
	if n == 0 || n > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n)
}

// parseSize returns how many pages a size is.
func parseSize(s string, total uint64) (int64, error) {
	if num, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.ParseUint(num, 10, 32)
		if err != nil || n > 1<<20 {
			return 0, errno.EINVAL
		}
		return limit(total * n / 100), nil
	}
	n, err := parseAmount(s)
	if err != nil {
		return 0, err
	}
	return limit(n/mem.PageSize + (n%mem.PageSize+mem.PageSize-1)/mem.PageSize), nil
}

// parseAmount parses a number with a suffix such as k, m or g.
func parseAmount(s string) (uint64, error) {
	shift := 0
	if s != "" {
		if i := strings.IndexByte("kmgtpe", s[len(s)-1]|0x20); i >= 0 {
			shift = 10 * (i + 1)
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil || n > math.MaxUint64>>shift {
		return 0, errno.EINVAL
	}
	return n << shift, nil
}

// remount changes the limits; what is there must fit. Owner and mode stay, as
// on Linux.
func (fs *FS) remount(s string) error {
	o := Options{MaxPages: fs.maxPages.Load(), MaxNodes: fs.maxNodes.Load()}
	if err := o.Parse(s, fs.memory.Stats().Total); err != nil {
		return err
	}
	if o.MaxPages < fs.pages.Load() || o.MaxNodes < fs.nodes.Load() {
		return errno.EINVAL
	}
	fs.maxPages.Store(o.MaxPages)
	fs.maxNodes.Store(o.MaxNodes)
	return nil
}
