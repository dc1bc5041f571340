// Command benchnet measures packstone over a network that is far away, beside other programs in the
// same run:
//
//	benchnet -packstone ./packstone -restic restic -rclone rclone -source DIR
//
// It starts the servers that the scenarios need (versitygw, proftpd, sshd) and netproxy before
// each, from the directory that -bin names or from where Debian has them, and does for each
// scenario what a user would, packstone first. Programs that are not there are left out, and so are
// scenarios whose server is not. It prints a table of wall time, processor time (also that of the
// servers and proxies, which share the cores) and peak memory, beside each wall time the ratio to
// packstone's, and the goal of the scenario.
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
	b := bench{started: map[server]bool{}}
	flag.StringVar(&b.bin, "bin", ".bin", "`directory` of versitygw, netproxy and corpus")
	flag.StringVar(&b.packstone, "packstone", "./packstone", "`program` to measure")
	flag.StringVar(&b.restic, "restic", "restic", "`program` beside it")
	flag.StringVar(&b.rclone, "rclone", "rclone", "`program` beside it")
	flag.StringVar(&b.source, "source", "", "`directory` to back up; 882 MiB of mixed files are made if empty")
	flag.StringVar(&b.work, "work", os.TempDir(), "`directory` for all that is written")
	flag.DurationVar(&b.rtt, "rtt", 50*time.Millisecond, "`time` of a round trip")
	flag.StringVar(&b.rate, "rate", "20MB", "`bytes` a second that a connection gets")
	flag.IntVar(&b.small, "small", 3000, "`number` of objects or files of 20 kB in a lake or on a server")
	flag.IntVar(&b.big, "big", 30, "`number` of objects of 100 MB in another lake")
	flag.IntVar(&b.most, "most", 20, "`number` of requests under way above which the busy S3 server refuses others")
	only := flag.String("only", "", "`scenarios` to run, separated by commas; all if empty")
	list := flag.Bool("list", false, "name the scenarios and their goals")
	flag.Parse()
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	if *list {
		for _, s := range b.scenarios() {
			fmt.Printf("%-24s %s\n", s.name, s.goal)
		}
		return
	}
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchnet:", err)
		os.Exit(1)
	}
}

type bench struct {
	bin, packstone, restic, rclone, source, work, rate string
	rtt                                                time.Duration
	small, big, most                                   int
	only                                               []string
	servers                                            []*process
	started                                            map[server]bool
	busy                                               *busy
	log                                                *os.File // of servers
}

func (b *bench) run() (err error) {
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp(b.work, "benchnet-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if b.log, err = os.Create(filepath.Join(b.work, "servers.log")); err != nil {
		return err
	}
	defer b.log.Close()
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
	if b.source == "" {
		b.source = filepath.Join(b.work, "mixed")
	}
	fmt.Printf("| round trip %s, %s/s a connection | program | wall | beside packstone | cpu | servers' cpu | peak | goal |\n|---|---|---|---|---|---|---|---|\n", b.rtt, b.rate)
	for _, s := range b.scenarios() {
		if len(b.only) == 0 || slices.Contains(b.only, s.name) {
			err = errors.Join(err, b.measure(s))
		}
	}
	return err
}

// environment is that of a program with a home of its own.
func (b *bench) environment(name string) []string {
	home := filepath.Join(b.work, "home", name)
	_ = os.MkdirAll(home, 0o700)
	settings := filepath.Join(home, "packstone.yaml")
	sources := []string{
		"lake: {type: lake, path: minio+http://" + far + ":" + s3Port + "/lake}", "big: {type: lake, path: minio+http://" + far + ":" + s3Port + "/big}",
		"ftp: {type: files, url: ftp://benchnet@" + far + ":" + ftpPort + "/small}", "sftp: {type: files, url: " + b.sftp("small") + "}",
	}
	_ = os.WriteFile(settings, []byte("version: 1\nsources:\n  "+strings.Join(sources, "\n  ")+"\n"), 0o600)
	ssh := filepath.Join(b.work, "sshd")
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PACKSTONE_CONFIG=" + settings,
		"PACKSTONE_S3_ACCESS_KEY=" + key, "PACKSTONE_S3_SECRET_KEY=" + secret, "PACKSTONE_LAKE_ACCESS_KEY=" + key, "PACKSTONE_LAKE_SECRET_KEY=" + secret,
		"PACKSTONE_REMOTE_PASSWORD=" + password, "PACKSTONE_REMOTE_KNOWN_HOSTS=" + ssh + "/known_hosts", "PACKSTONE_REMOTE_KEY_FILE=" + ssh + "/key",
		"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=us-east-1", "RESTIC_PASSWORD=benchnet",
		"RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENV_AUTH=true", "RCLONE_S3_ENDPOINT=http://" + far + ":" + s3Port, "RCLONE_CONFIG=/dev/null",
		"RCLONE_FTP_HOST=" + far, "RCLONE_FTP_PORT=" + ftpPort, "RCLONE_FTP_USER=benchnet", "RCLONE_FTP_PASS=" + b.obscured(), "RCLONE_FTP_CONCURRENCY=10",
		"RCLONE_SFTP_HOST=" + far, "RCLONE_SFTP_PORT=" + sftpPort, "RCLONE_SFTP_USER=" + login(), "RCLONE_SFTP_KEY_FILE=" + ssh + "/key",
		"RCLONE_SFTP_DISABLE_HASHCHECK=true",
	}
}

// sftp is the URL of a directory below the place of work.
func (b *bench) sftp(dir string) string {
	return "sftp://" + login() + "@" + far + ":" + sftpPort + filepath.Join(b.work, dir)
}

// obscured is the password of FTP as rclone wants it.
func (b *bench) obscured() string {
	if b.rclone == "" {
		return ""
	}
	out, _ := exec.Command(b.rclone, "obscure", password).Output()
	return strings.TrimSpace(string(out))
}

// used is what one command took.
type used struct {
	wall, processor time.Duration
	servers         time.Duration // of processor, of servers and proxies meanwhile
	peak            int64         // bytes
	runs            int
}

// command runs a program to its end; if it is killed every now and then, again until it is done.
func (b *bench) command(c contender, args []string, killed time.Duration) (u used, _ error) {
	for {
		cmd := exec.Command(c.program, args...)
		cmd.Env = b.environment(c.home)
		cmd.Dir = b.work
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		begun := time.Now()
		if err := cmd.Start(); err != nil {
			return u, err
		}
		var kill *time.Timer
		if killed > 0 {
			kill = time.AfterFunc(killed, func() { _ = cmd.Process.Kill() })
		}
		err := cmd.Wait()
		interrupted := kill != nil && !kill.Stop()
		u.add(cmd, time.Since(begun))
		if err == nil {
			return u, nil
		}
		if !interrupted || u.runs > 200 {
			return u, fmt.Errorf("%s %s: %w\n%s", filepath.Base(c.program), strings.Join(args, " "), err, out.String())
		}
	}
}

func (u *used) add(cmd *exec.Cmd, wall time.Duration) {
	u.runs++
	u.wall += wall
	u.processor += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = max(u.peak, r.Maxrss*1024)
	}
}

// measure does one scenario with all that take part in it, and prints a line for each.
func (b *bench) measure(s scenario) error {
	for _, needed := range s.needs {
		if err := b.start(needed); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, make := range s.makes {
		if err := make(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	first := time.Duration(0)
	for _, c := range s.contenders {
		if c.program == "" {
			continue
		}
		u, err := b.compete(c)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if first == 0 {
			first = u.wall
		}
		fmt.Printf("| %s | %s | %.2f s | %.2f | %.1f s | %.1f s | %d MiB | %s |\n", s.name, c.name+b.note(s, u), u.wall.Seconds(), u.wall.Seconds()/first.Seconds(),
			u.processor.Seconds(), u.servers.Seconds(), u.peak>>20, s.goal)
	}
	return nil
}

// note is what else there is to say of a run.
func (b *bench) note(s scenario, u used) string {
	switch {
	case u.runs > 1:
		return fmt.Sprintf(" (%d runs)", u.runs)
	case slices.Contains(s.needs, busyS3):
		return " (" + b.busy.String() + ")"
	}
	return ""
}

func (b *bench) compete(c contender) (used, error) {
	for _, args := range c.before {
		if _, err := b.command(c, args, 0); err != nil {
			return used{}, err
		}
	}
	for _, name := range c.forget {
		if err := os.RemoveAll(filepath.Join(b.work, name)); err != nil {
			return used{}, err
		}
	}
	syscall.Sync()
	before := b.serverTime()
	u, err := b.command(c, c.args, c.killed)
	u.servers = b.serverTime() - before
	return u, err
}
