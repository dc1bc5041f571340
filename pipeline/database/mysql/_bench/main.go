package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
func main() {
	ds := database.Drivers{"mysql": mysql.Driver{}, "sqlite": sqlite.Driver{}, "postgres": postgres.Driver{}}
	from, err := database.ParseLocation(os.Args[1])
	must(err)
	jobs, _ := strconv.Atoi(os.Args[3])
	ctx := context.Background()
	d, err := ds.For(from)
	must(err)
	src, err := d.OpenSource(ctx, from, database.SourceOptions{Jobs: jobs})
	must(err)
	schema, err := src.Schema(ctx)
	must(err)
	fmt.Println("moment", schema.Moment)
	t0 := time.Now()
	if os.Args[2] == "-" {
		n := 0
		for _, t := range schema.Tables {
			must(src.Rows(ctx, t, func(b *database.Batch) error { n += b.Len(); b.Release(); return nil }))
		}
		fmt.Println(n, "rows", time.Since(t0), int(float64(n)/time.Since(t0).Seconds()), "rows/s")
	} else {
		to, err := database.ParseLocation(os.Args[2])
		must(err)
		d, err := ds.For(to)
		must(err)
		dst, err := d.OpenTarget(ctx, to, database.TargetOptions{Jobs: jobs})
		must(err)
		r, err := database.Convert(ctx, src, dst, database.Options{Jobs: jobs, NoVerify: len(os.Args) > 4 && os.Args[4] == "noverify"})
		if r != nil && len(os.Args) > 4 && os.Args[4] == "v" {
			for _, f := range r.Inexact() {
				fmt.Println("  ", f)
			}
		}
		if err != nil {
			dst.Close()
		}
		must(err)
		must(dst.Close())
		var n int64
		for _, t := range r.Tables {
			n += t.Rows
		}
		fmt.Println(n, "rows", len(r.Inexact()), "inexact", time.Since(t0), int(float64(n)/time.Since(t0).Seconds()), "rows/s")
	}
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru)
	fmt.Println("peak RSS MiB", ru.Maxrss/1024, "cpu", time.Duration(ru.Utime.Nano()+ru.Stime.Nano()))
}
