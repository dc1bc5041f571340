// Command composetest runs docker-compose.yml on a real engine: Debian's dockerd, in a network and
// a mount namespace of its own, so that it changes nothing on the machine and no port is taken.
// There is no registry: images of the names in the file are made from one debootstrap and from
// programs of this checkout. It starts everything, makes a repository, backs up, asks the page and
// Prometheus, restores and compares, stops everything and starts it again.
//
//	composetest -packstone ./packstone -versitygw .bin/versitygw
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// inside marks the process that has its own namespaces.
const inside = "COMPOSETEST_INSIDE"

// needed are the programs that a run calls.
var needed = []string{"dockerd", "containerd", "docker-compose", "debootstrap", "ip", "iptables", "tar"}

func main() {
	var o options
	flag.StringVar(&o.packstone, "packstone", "packstone", "the static `program`")
	flag.StringVar(&o.gateway, "versitygw", ".bin/versitygw", "the S3 server, a static `program`")
	flag.StringVar(&o.base, "base", ".bin/composetest.tar", "keeps the file system of the images in this `file`")
	flag.Parse()
	if why := missing(); why != "" {
		fmt.Println("composetest: left out:", why)
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	act := enter
	if os.Getenv(inside) != "" {
		act = o.run
	}
	if err := act(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "composetest:", err)
		os.Exit(1)
	}
}

func missing() string {
	if os.Geteuid() != 0 {
		return "an engine needs root"
	}
	for _, name := range needed {
		if _, err := exec.LookPath(name); err != nil {
			return "there is no " + name + " (apt-get install docker.io docker-compose debootstrap iptables iproute2)"
		}
	}
	return ""
}

// enter runs this program again in namespaces of its own.
func enter(ctx context.Context) error {
	self := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	self.Env = append(os.Environ(), inside+"=1")
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	self.Cancel = func() error { return self.Process.Signal(syscall.SIGTERM) }
	return self.Run()
}

type options struct{ packstone, gateway, base string }

func (o options) run(ctx context.Context) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "composetest")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := startEngine(ctx, dir)
	if err != nil {
		return err
	}
	defer e.stop()
	if err := o.makeImages(ctx, e, filepath.Join(dir, "context")); err != nil {
		return err
	}
	s := story{engine: e, root: root}
	defer s.end()
	return s.tell(ctx)
}
