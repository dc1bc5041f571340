package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"
)

func setVersioning(client *s3.Client, bucket string, status types.BucketVersioningStatus) error {
	_, err := client.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	return err
}

// moment NAME sets a variable to a time between what was done before and what will be done after,
// by the milliseconds that version ids of versitygw hold.
func moment(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: moment NAME")
	}
	now := time.Now()
	ts.Setenv(args[0], now.UTC().Format(time.RFC3339Nano))
	time.Sleep(time.Until(now.Truncate(time.Millisecond).Add(2 * time.Millisecond)))
}

// thief is somebody who has the credentials of a bucket.
type thief struct {
	client *s3.Client
	bucket string
}

func newThief(ts *testscript.TestScript, bucket string) thief {
	return thief{s3.New(s3.Options{
		BaseEndpoint: aws.String(ts.Getenv("AWS_ENDPOINT_URL_S3")), Region: ts.Getenv("AWS_REGION"), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(ts.Getenv("AWS_ACCESS_KEY_ID"), ts.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	}), bucket}
}

// ruin BUCKET does to a repository what a thief of the bucket's credentials can do: it overwrites
// some objects, deletes some, does both to some, and adds garbage.
func ruin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ruin BUCKET")
	}
	t := newThief(ts, args[0])
	objects, err := t.client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &t.bucket})
	ts.Check(err)
	if len(objects.Contents) < 3 || aws.ToBool(objects.IsTruncated) {
		ts.Fatalf("%d objects in %s", len(objects.Contents), t.bucket)
	}
	for i, o := range objects.Contents {
		ts.Check(t.spoil(*o.Key, i%3))
	}
	repository, _, _ := strings.Cut(*objects.Contents[0].Key, "/")
	for _, name := range []string{
		"config/0000000001", "config/garbage", "log/vm.0/0000000099", "log/garbage", "roll/0000000001", "gc/0000000001/sweep",
		"sessions/x.0.0000000001", "packs/aa/" + strings.Repeat("a", 64), "refs/bb/" + strings.Repeat("b", 64),
	} {
		ts.Check(t.put(repository+"/"+name, "garbage"))
	}
}

// spoil overwrites an object twice, or deletes it, or does both.
func (t thief) spoil(key string, how int) error {
	var err error
	if how != 1 {
		err = errors.Join(t.put(key, "garbage"), t.put(key, "garbage of "+key))
	}
	if how != 0 {
		_, failed := t.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &t.bucket, Key: &key})
		err = errors.Join(err, failed)
	}
	return err
}

func (t thief) put(key, content string) error {
	_, err := t.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &t.bucket, Key: &key, Body: strings.NewReader(content)})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// destroy BUCKET PREFIX deletes every version of the objects whose keys begin with PREFIX.
func destroy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: destroy BUCKET PREFIX")
	}
	t, ctx := newThief(ts, args[0]), context.Background()
	list, err := t.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &t.bucket, Prefix: &args[1]})
	ts.Check(err)
	if len(list.Versions) == 0 {
		ts.Fatalf("no object %s", args[1])
	}
	for _, v := range list.Versions {
		_, err := t.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: v.Key, VersionId: v.VersionId})
		ts.Check(err)
	}
}
