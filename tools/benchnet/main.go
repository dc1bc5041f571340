// Command benchnet measures packstone over a network that is far away, beside other programs in the same run:
//
//	benchnet -packstone ./packstone -restic restic -rclone rclone -source DIR
//
// It starts an S3 server (versitygw) and netproxy before it, from the directory that -bin names, and does for each scenario what a user
// would, packstone first. Programs that are not there are left out. It prints a table of wall time, processor time and peak memory, and beside
// each wall time the ratio to packstone's.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var b bench
	flag.StringVar(&b.bin, "bin", ".bin", "`directory` of versitygw, netproxy and corpus")
	flag.StringVar(&b.packstone, "packstone", "./packstone", "`program` to measure")
	flag.StringVar(&b.restic, "restic", "restic", "`program` beside it")
	flag.StringVar(&b.rclone, "rclone", "rclone", "`program` beside it")
	flag.StringVar(&b.source, "source", "", "`directory` to back up; 882 MiB of mixed files are made if empty")
	flag.StringVar(&b.work, "work", os.TempDir(), "`directory` for all that is written")
	flag.StringVar(&b.rtt, "rtt", "50ms", "`time` of a round trip")
	flag.StringVar(&b.rate, "rate", "20MB", "`bytes` a second that a connection gets")
	flag.IntVar(&b.lake, "lake", 3000, "`number` of objects of 20 kB in a lake")
	only := flag.String("only", "", "`scenarios` to run, separated by commas; all if empty")
	flag.Parse()
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchnet:", err)
		os.Exit(1)
	}
}

type bench struct {
	bin, packstone, restic, rclone, source, work, rtt, rate string
	lake                                                    int
	only                                                    []string
	servers                                                 []*exec.Cmd
}

const (
	direct  = "127.0.0.1:17171" // the S3 server
	distant = "127.0.0.1:17172" // the proxy before it
	key     = "benchnet"
	secret  = "benchnet-secret"
)

func (b *bench) run() (err error) {
	if b.work, err = os.MkdirTemp(b.work, "benchnet-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	for _, program := range []*string{&b.packstone, &b.restic, &b.rclone} {
		if found, err := exec.LookPath(*program); err == nil {
			*program, _ = filepath.Abs(found)
		} else {
			fmt.Fprintf(os.Stderr, "benchnet: left out: %v\n", err)
			*program = ""
		}
	}
	if b.packstone == "" {
		return errors.New("there is no packstone to measure")
	}
	defer b.stop()
	if err := b.prepare(); err != nil {
		return err
	}
	fmt.Printf("| round trip %s, %s/s a connection | program | wall | beside packstone | cpu | peak |\n|---|---|---|---|---|---|\n", b.rtt, b.rate)
	for _, s := range b.scenarios() {
		if len(b.only) > 0 && !slices.Contains(b.only, s.name) {
			continue
		}
		if err := b.measure(s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// prepare makes what is backed up and starts the servers.
func (b *bench) prepare() error {
	data, iam := filepath.Join(b.work, "s3"), filepath.Join(b.work, "iam")
	for _, dir := range []string{filepath.Join(data, "bench"), filepath.Join(data, "lake"), iam} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if b.source == "" {
		b.source = filepath.Join(b.work, "mixed")
		if err := exec.Command(filepath.Join(b.bin, "corpus"), "mixed", b.source, "882").Run(); err != nil {
			return fmt.Errorf("make the source: %w", err)
		}
	}
	gateway := exec.Command(filepath.Join(b.bin, "versitygw"), "--quiet", "--port", direct, "--iam-dir", iam, "posix", data)
	gateway.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+secret)
	proxy := exec.Command(filepath.Join(b.bin, "netproxy"), "-listen", distant, "-target", direct, "-rtt", b.rtt, "-rate", b.rate)
	for _, server := range []*exec.Cmd{gateway, proxy} {
		if err := server.Start(); err != nil {
			return err
		}
		b.servers = append(b.servers, server)
	}
	return b.fillLake()
}

// fillLake puts objects into the lake, without the proxy.
func (b *bench) fillLake() error {
	if b.rclone == "" {
		return nil
	}
	dir := filepath.Join(b.work, "objects")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for i := range b.lake {
		content := strings.Repeat(fmt.Sprintf("object %d of a lake, ", i), 1000)[:20_000]
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(content), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command(b.rclone, "copy", "--s3-endpoint", "http://"+direct, "--transfers", "8", dir, ":s3:lake")
	cmd.Env = b.environment("rclone")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fill the lake: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) stop() {
	for _, server := range b.servers {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	}
}

// environment is that of a program with a home of its own.
func (b *bench) environment(name string) []string {
	home := filepath.Join(b.work, "home", name)
	_ = os.MkdirAll(home, 0o700)
	settings := filepath.Join(home, "packstone.yaml")
	_ = os.WriteFile(settings, []byte("version: 1\nsources:\n  lake: {type: lake, path: minio+http://"+distant+"/lake}\n"), 0o600)
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PACKSTONE_CONFIG=" + settings,
		"PACKSTONE_S3_ACCESS_KEY=" + key, "PACKSTONE_S3_SECRET_KEY=" + secret, "PACKSTONE_LAKE_ACCESS_KEY=" + key, "PACKSTONE_LAKE_SECRET_KEY=" + secret,
		"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=us-east-1", "RESTIC_PASSWORD=benchnet",
		"RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENV_AUTH=true", "RCLONE_S3_ENDPOINT=http://" + distant, "RCLONE_CONFIG=/dev/null",
	}
}

// used is what one command took.
type used struct {
	wall, processor time.Duration
	peak            int64 // bytes
}

func (b *bench) command(c contender, args []string) (used, error) {
	cmd := exec.Command(c.program, args...)
	cmd.Env = b.environment(c.home)
	cmd.Dir = b.work
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return used{}, fmt.Errorf("%s %s: %w\n%s", filepath.Base(c.program), strings.Join(args, " "), err, out)
	}
	u := used{wall: time.Since(begun), processor: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss * 1024
	}
	return u, nil
}

// measure does one scenario with all that take part in it, and prints a line for each.
func (b *bench) measure(s scenario) error {
	first := time.Duration(0)
	for _, c := range s.contenders {
		if c.program == "" {
			continue
		}
		for _, args := range c.before {
			if _, err := b.command(c, args); err != nil {
				return err
			}
		}
		for _, name := range c.forget {
			if err := os.RemoveAll(filepath.Join(b.work, name)); err != nil {
				return err
			}
		}
		syscall.Sync()
		u, err := b.command(c, c.args)
		if err != nil {
			return err
		}
		if first == 0 {
			first = u.wall
		}
		fmt.Printf("| %s | %s | %.2f s | %.2f | %.1f s | %d MiB |\n", s.name, c.name, u.wall.Seconds(), u.wall.Seconds()/first.Seconds(),
			u.processor.Seconds(), u.peak>>20)
	}
	return nil
}
