package bucket

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/packstone/packstone/archive/store"
)

func (d *awsDialect) lockRule(ctx context.Context) (mode store.LockMode, period time.Duration, on bool, err error) {
	out, err := d.client.GetObjectLockConfiguration(ctx, &sdk.GetObjectLockConfigurationInput{Bucket: d.bucket})
	if err != nil || out.ObjectLockConfiguration == nil {
		return "", 0, false, err
	}
	on = out.ObjectLockConfiguration.ObjectLockEnabled == types.ObjectLockEnabledEnabled
	if rule := out.ObjectLockConfiguration.Rule; rule != nil && rule.DefaultRetention != nil {
		mode = store.LockMode(rule.DefaultRetention.Mode)
		period = time.Duration(aws.ToInt32(rule.DefaultRetention.Days))*day + time.Duration(aws.ToInt32(rule.DefaultRetention.Years))*365*day
	}
	return mode, period, on, nil
}

func (d *awsDialect) lock(ctx context.Context, r Ref) (store.Lock, error) {
	out, err := d.client.GetObjectRetention(ctx, &sdk.GetObjectRetentionInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version)})
	if err != nil || out.Retention == nil {
		return store.Lock{}, err
	}
	return store.Lock{Mode: store.LockMode(out.Retention.Mode), Until: aws.ToTime(out.Retention.RetainUntilDate)}, nil
}

func (d *awsDialect) setLock(ctx context.Context, r Ref, to store.Lock, bypass bool) error {
	in := &sdk.PutObjectRetentionInput{
		Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionMode(to.Mode), RetainUntilDate: aws.Time(to.Until)},
	}
	if bypass {
		in.BypassGovernanceRetention = aws.Bool(true)
	}
	_, err := d.client.PutObjectRetention(ctx, in)
	return err
}

func (d *awsDialect) removeVersion(ctx context.Context, r Ref) error {
	in := &sdk.DeleteObjectInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version), BypassGovernanceRetention: aws.Bool(true)}
	_, err := d.client.DeleteObject(ctx, in)
	return err
}
