package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// once makes something in a directory below the place of work unless it is there.
func (b *bench) once(name string, fill func(dir string) error) error {
	dir := filepath.Join(b.work, name)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := fill(dir); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// makeMixed makes what is backed up from here.
func (b *bench) makeMixed() error {
	if b.source != filepath.Join(b.work, "mixed") {
		return nil
	}
	return b.once("mixed", func(dir string) error { return exec.Command(filepath.Join(b.bin, "corpus"), "mixed", dir, "882").Run() })
}

// makeSmall makes small files, a hundred to a directory, which are an hour old: what is younger
// than minutes is looked at twice.
func (b *bench) makeSmall() error {
	return b.once("small", func(dir string) error {
		for i := range b.small {
			name := filepath.Join(dir, fmt.Sprintf("d%03d", i/100), fmt.Sprintf("f%05d", i))
			if err := old(name, 20_000, uint64(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// makeLake puts small objects into a bucket, without the proxy.
func (b *bench) makeLake() error {
	if err := b.makeSmall(); err != nil {
		return err
	}
	return b.once("lake-filled", func(string) error { return b.upload("small", "lake") })
}

// makeBig puts big objects into another bucket.
func (b *bench) makeBig() error {
	return b.once("big", func(dir string) error {
		for i := range b.big {
			if err := old(filepath.Join(dir, fmt.Sprintf("o%03d", i)), 100_000_000, uint64(i)); err != nil {
				return err
			}
		}
		return b.upload("big", "big")
	})
}

func (b *bench) upload(dir, bucket string) error {
	if b.rclone == "" {
		return fmt.Errorf("rclone is needed to fill a bucket")
	}
	cmd := exec.Command(b.rclone, "copy", "--s3-endpoint", "http://"+near+":"+s3Port, "--transfers", "8", filepath.Join(b.work, dir), ":s3:"+bucket)
	cmd.Env = b.environment("rclone")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// old makes a file of random bytes that is an hour old. It keeps nothing of it: what a process
// holds counts for those that it starts.
func old(name string, size int64, seed uint64) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})
	_, err = io.CopyN(file, random, size)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	hourAgo := time.Now().Add(-time.Hour)
	return os.Chtimes(name, hourAgo, hourAgo)
}
