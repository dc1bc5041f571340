// Command benchkeep measures whether space comes back: it backs up a directory of which a part
// changes each day, and each day forgets and prunes, with packstone and with restic in turns:
//
//	benchkeep -packstone ./packstone -restic restic -days 30 -share 3 DIR
//
// Days are told with --time. It prints what each repository takes after every day, and how long
// forget and prune took: wall time and processor time, of that day and of all so far.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	var b bench
	flag.StringVar(&b.packstone, "packstone", "./packstone", "`program` to measure")
	flag.StringVar(&b.restic, "restic", "restic", "`program` beside it; empty for none")
	flag.StringVar(&b.work, "work", os.TempDir(), "`directory` for the copy of DIR and the repositories")
	flag.IntVar(&b.days, "days", 30, "`number` of days")
	flag.Float64Var(&b.share, "share", 3, "how much changes each day, in `percent` of the bytes")
	flag.IntVar(&b.keep, "keep", 7, "`number` of days that are kept")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := b.run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "benchkeep:", err)
		os.Exit(1)
	}
}

type bench struct {
	packstone, restic, work string
	days, keep              int
	share                   float64
	source                  string
}

// run does all days in a directory of its own.
func (b *bench) run(dir string) (err error) {
	if b.work, err = os.MkdirTemp(b.work, "benchkeep-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	b.source = filepath.Join(b.work, "source")
	if err := exec.Command("cp", "-a", dir, b.source).Run(); err != nil {
		return fmt.Errorf("copy %s: %w", dir, err)
	}
	programs := b.programs()
	for _, p := range programs {
		if err := p.begin(); err != nil {
			return err
		}
	}
	fmt.Println("day program stored_MiB backup_s prune_s prune_cpu_s all_prune_s all_prune_cpu_s")
	for day := range b.days {
		if day > 0 {
			if err := change(b.source, b.share/100, uint64(day)); err != nil {
				return err
			}
		}
		for i := range programs { // in turns, so that neither always has what the other has read
			if err := programs[(i+day)%len(programs)].day(day); err != nil {
				return err
			}
		}
	}
	return nil
}

// program is one of those that are compared.
type program struct {
	name, repository string
	env              []string
	setUp            [][]string
	backup           func(at string) []string
	prune            [][]string // forget and prune
	total            spent
}

// spent is what commands took.
type spent struct{ wall, cpu time.Duration }

func (b *bench) programs() (list []*program) {
	keep := strconv.Itoa(b.keep)
	repository := filepath.Join(b.work, "packstone")
	home := filepath.Join(b.work, "home")
	list = append(list, &program{
		name: "packstone", repository: repository,
		env:   []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PACKSTONE_REPOSITORY=" + repository, "PACKSTONE_HOST=bench"},
		setUp: [][]string{{b.packstone, "-q", "init"}, {b.packstone, "key", "writer", "bind", "bench", "--hosts", "*", "--role", "backdate"}},
		backup: func(at string) []string {
			return []string{b.packstone, "-q", "backup", b.source, "--time", at}
		},
		prune: [][]string{
			{b.packstone, "-q", "forget", "--keep-daily", keep},
			{b.packstone, "-q", "prune", "--repack", "--grace", "0", "--yes"},
		},
	})
	if b.restic == "" {
		return list
	}
	repository = filepath.Join(b.work, "restic")
	return append(list, &program{
		name: "restic", repository: repository,
		env:   []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "RESTIC_REPOSITORY=" + repository, "RESTIC_PASSWORD=bench"},
		setUp: [][]string{{b.restic, "-q", "init"}},
		backup: func(at string) []string {
			return []string{b.restic, "-q", "backup", b.source, "--time", at}
		},
		prune: [][]string{{b.restic, "-q", "forget", "--keep-daily", keep, "--prune"}},
	})
}

func (p *program) begin() error {
	for _, args := range p.setUp {
		if _, err := p.do(args); err != nil {
			return err
		}
	}
	return nil
}

// day backs up, forgets and prunes, and prints what that took.
func (p *program) day(n int) error {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local).AddDate(0, 0, n).Format(time.DateTime)
	backup, err := p.do(p.backup(at))
	if err != nil {
		return err
	}
	var prune spent
	for _, args := range p.prune {
		took, err := p.do(args)
		if err != nil {
			return err
		}
		prune.wall, prune.cpu = prune.wall+took.wall, prune.cpu+took.cpu
	}
	p.total.wall, p.total.cpu = p.total.wall+prune.wall, p.total.cpu+prune.cpu
	size, err := sizeOf(p.repository)
	if err != nil {
		return err
	}
	fmt.Printf("%d %s %.1f %.2f %.2f %.2f %.2f %.2f\n", n+1, p.name, float64(size)/(1<<20), backup.wall.Seconds(),
		prune.wall.Seconds(), prune.cpu.Seconds(), p.total.wall.Seconds(), p.total.cpu.Seconds())
	return nil
}

func (p *program) do(args []string) (spent, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = p.env
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return spent{}, fmt.Errorf("%v: %w\n%s", args, err, out)
	}
	return spent{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

func sizeOf(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// piece is how much of a large file changes at once.
const piece = 1 << 20

// change shuffles pieces of files, chosen by their bytes, until a share of all is changed: what it
// makes compresses as what was there.
func change(dir string, share float64, seed uint64) error {
	type file struct {
		path string
		size int64
	}
	var files []file
	var all int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 {
			files, all = append(files, file{path, info.Size()}), all+info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for left := int64(share * float64(all)); left > 0; {
		at := r.Int64N(all)
		i := 0
		for ; at >= files[i].size; i++ {
			at -= files[i].size
		}
		n := min(piece, files[i].size-at/piece*piece)
		if err := shuffle(files[i].path, at/piece*piece, n, r); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// shuffle changes the order of lines of 64 bytes in a part of a file, and one byte, as a file of
// less has only one such line.
func shuffle(path string, at, n int64, r *rand.Rand) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	body := make([]byte, n)
	if _, err := f.ReadAt(body, at); err != nil {
		return err
	}
	var held [64]byte
	r.Shuffle(len(body)/64, func(i, j int) {
		copy(held[:], body[i*64:])
		copy(body[i*64:i*64+64], body[j*64:j*64+64])
		copy(body[j*64:], held[:])
	})
	body[r.IntN(len(body))]++
	if _, err := f.WriteAt(body, at); err != nil {
		return err
	}
	return f.Close()
}
