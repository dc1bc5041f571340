package mount

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// holdersOf returns the processes that use something below a directory, as "name (pid 7, /mnt/x)".
// Only root sees those of other users.
func holdersOf(dir string) (holders []string) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	for _, process := range processes {
		if what := heldBy(process, dir); what != "" && filepath.Base(process) != fmt.Sprint(os.Getpid()) {
			holders = append(holders, fmt.Sprintf("%s (pid %s, %s)", nameOf(process), filepath.Base(process), what))
		}
	}
	return holders
}

// heldBy returns what a process uses below a directory: its working directory, an open file, or a
// mapped one.
func heldBy(process, dir string) string {
	links := []string{filepath.Join(process, "cwd"), filepath.Join(process, "root")}
	for _, kind := range []string{"fd", "map_files"} {
		entries, _ := os.ReadDir(filepath.Join(process, kind))
		for _, e := range entries {
			links = append(links, filepath.Join(process, kind, e.Name()))
		}
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && (to == dir || strings.HasPrefix(to, dir+"/")) {
			return to
		}
	}
	return ""
}

func nameOf(process string) string {
	name, err := os.ReadFile(filepath.Join(process, "comm"))
	if err != nil {
		return "a process"
	}
	return strings.TrimSpace(string(name))
}

// isMounted reports whether snapshots are mounted at a directory.
func isMounted(dir string) bool {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && unescaped(f[1]) == dir && f[2] == "fuse."+system {
			return true
		}
	}
	return false
}

// unescaped returns a path from /proc/mounts, where spaces and the like are octal numbers.
func unescaped(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// serversOf returns the processes that serve mounts, as far as this user sees them.
func serversOf() (servers []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		line, err := os.ReadFile(filepath.Join(process, "cmdline"))
		words := strings.Split(string(line), "\x00")
		if err == nil && slices.Contains(words, "mount") && opensFuse(process) {
			servers = append(servers, fmt.Sprintf("%s (pid %s)", nameOf(process), filepath.Base(process)))
		}
	}
	if len(servers) == 0 {
		servers = []string{"a process that this one may not look at"}
	}
	return servers
}

func opensFuse(process string) bool {
	files, _ := os.ReadDir(filepath.Join(process, "fd"))
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(process, "fd", f.Name())); err == nil && to == "/dev/fuse" {
			return true
		}
	}
	return false
}
