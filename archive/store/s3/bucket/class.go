package bucket

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"

	"github.com/packstone/packstone/archive/store"
)

// Standing returns how an object lies in its storage class.
func (c *Client) Standing(ctx context.Context, key string) (store.Standing, error) {
	o, err := c.Head(ctx, Ref{Key: key})
	return o.Standing, err
}

// thawAsked is the code with which servers say that a thaw was asked for before.
const thawAsked = "RestoreAlreadyInProgress"

// Thaw asks the server to make an object readable for some days. A thaw that was asked for before
// is no error.
func (c *Client) Thaw(ctx context.Context, key string, how store.Thaw) error {
	err := c.api.thaw(ctx, key, how)
	if err != nil && c.api.answer(err).code == thawAsked {
		return nil
	}
	return c.failed(ctx, writing, key, err)
}

func (d *awsDialect) thaw(ctx context.Context, key string, how store.Thaw) error {
	_, err := d.client.RestoreObject(ctx, &sdk.RestoreObjectInput{
		Bucket: d.bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		RestoreRequest: &types.RestoreRequest{Days: aws.Int32(int32(how.Days)), GlacierJobParameters: &types.GlacierJobParameters{Tier: types.Tier(how.Tier)}},
	})
	return err
}

func (d *minioDialect) thaw(ctx context.Context, key string, how store.Thaw) error {
	request := minio.RestoreRequest{}
	request.SetDays(how.Days)
	request.SetGlacierJobParameters(minio.GlacierJobParameters{Tier: minio.TierType(how.Tier)})
	return d.core.RestoreObject(ctx, d.bucket, key, "", request)
}

// standingOf reads how an object lies from the headers of an answer. x-amz-restore tells of a thaw,
// and x-amz-archive-status of an object that INTELLIGENT_TIERING has archived.
func standingOf(h http.Header) (s store.Standing) {
	s.Class = store.Class(h.Get("X-Amz-Storage-Class"))
	s.Frozen = s.Class.NeedsThaw() || h.Get("X-Amz-Archive-Status") != ""
	if !s.Frozen {
		return s
	}
	thaw := h.Get("X-Amz-Restore")
	switch {
	case strings.Contains(thaw, `ongoing-request="true"`):
		s.Thawing = true
	case strings.Contains(thaw, `ongoing-request="false"`):
		s.Frozen, s.Until = false, expiryOf(thaw)
	}
	return s
}

// expiryOf returns when a thaw ends, zero if the header does not tell.
func expiryOf(thaw string) time.Time {
	_, after, _ := strings.Cut(thaw, `expiry-date="`)
	date, _, _ := strings.Cut(after, `"`)
	at, err := http.ParseTime(date)
	if err != nil {
		return time.Time{}
	}
	return at
}
