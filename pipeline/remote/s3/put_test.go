package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
)

// TestAnObjectOfPartsIsStoredOnlyWhenAllOfItIs: of a server whose ETags say nothing, the size does.
func TestAnObjectOfPartsIsStoredOnlyWhenAllOfItIs(t *testing.T) {
	const part = 5 << 20
	bothSDKs(t, func(t *testing.T, sdk string) {
		server := s3test.Start(t)
		b := open(t, server, sdk, s3.Options{})
		ctx := context.Background()
		for stored, whole := range map[int]bool{part: false, 2 * part: true, 3 * part: false} {
			server.Fault = nil
			u, err := b.Begin(ctx, "key", s3.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			etags := make([]string, 2)
			for i := range etags {
				if etags[i], err = u.Put(ctx, i+1, s3.NewBody(bytes.Repeat([]byte{byte(i)}, part))); err != nil {
					t.Fatal(err)
				}
			}
			server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				server.Put("key", make([]byte, stored))
				fmt.Fprintf(w, `<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>key</Key><ETag>"odd"</ETag></CompleteMultipartUploadResult>`, server.Bucket)
				return true
			}
			if err := u.Complete(ctx, etags, 2*part); (err == nil) != whole {
				t.Errorf("%d bytes of %d: got %v, whole: %v", stored, 2*part, err, whole)
			}
		}
	})
}
