// Command manykeys serves a bucket of many small objects from memory, to measure by hand how a lake
// of them is listed:
//
//	manykeys -listen 127.0.0.1:9200 -keys 300000
//
// The bucket is minio+http://127.0.0.1:9200/lake, the keys to it are those of package s3test. It
// answers GET /.counts with the number of requests of each kind and of bytes of objects since the
// last time, and POST /.change by replacing one object in a thousand.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9200", "`address` to listen at")
	keys := flag.Int("keys", 300_000, "`number` of objects")
	flag.Parse()
	s := s3test.New()
	for i := range *keys {
		s.PutVersion(key(i), &s3test.Version{Data: fmt.Appendf(nil, "object %d", i), Modified: time.Unix(1_700_000_000, 0)})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.counts", func(w http.ResponseWriter, _ *http.Request) {
		requests, bytes := s.Counts()
		json.NewEncoder(w).Encode(map[string]any{"requests": requests, "bytes": bytes})
	})
	mux.HandleFunc("POST /.change", func(http.ResponseWriter, *http.Request) {
		for i := 0; i < *keys; i += 1000 {
			s.Put(key(i), fmt.Appendf(nil, "object %d of %v", i, time.Now()))
		}
	})
	mux.Handle("/", s)
	if err := http.ListenAndServe(*listen, mux); err != nil {
		fmt.Fprintln(os.Stderr, "manykeys:", err)
		os.Exit(1)
	}
}

func key(i int) string {
	return fmt.Sprintf("events/dt=%04d/hour=%02d/part-%05d-c000.snappy.parquet", i/2400, i/100%24, i%100)
}
