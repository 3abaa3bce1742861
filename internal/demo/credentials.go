package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// tellCredentials gives the outlet's connector a wrong password and then the
// right one again.
func (w *world) tellCredentials(ctx context.Context, show audience) (string, error) {
	before, err := w.connectorPod(ctx, w.outlet)
	if err != nil {
		return "", err
	}
	if before == nil {
		return "", errors.New("the outlet's connector has no pod")
	}
	show.progress("a wrong password in the Secret %s%s", w.outlet.name, credentialsSuffix)
	broken := time.Now()
	if err := w.changeSecret(ctx, w.outlet, keyPassword, "not-the-password"); err != nil {
		return "", err
	}
	condition, err := w.awaitChannel(ctx, settlement, w.outlet, selarasv1alpha1.ConditionCredentialsValid, metav1.ConditionFalse)
	if err != nil {
		return "", err
	}
	reported := time.Since(broken)
	show.measure("%-12s CredentialsValid=False after %s, reason %s: %s", w.outlet.name, seconds(reported), condition.Reason, condition.Message)

	sku, price, err := w.changeMeanwhile(ctx, show)
	if err != nil {
		return "", err
	}
	show.progress("the right password")
	repaired := time.Now()
	if err := w.changeSecret(ctx, w.outlet, keyPassword, w.outlet.Password()); err != nil {
		return "", err
	}
	if _, err := w.awaitChannel(ctx, settlement, w.outlet, selarasv1alpha1.ConditionCredentialsValid, metav1.ConditionTrue); err != nil {
		return "", err
	}
	valid := time.Since(repaired)
	took, err := untilAll(ctx, repaired, settlement, []*shop{w.outlet}, sku, showing(sku, price))
	if err != nil {
		return "", err
	}
	after, err := w.connectorPod(ctx, w.outlet)
	if err != nil {
		return "", err
	}
	had, _ := restarts(before)
	if has, _ := restarts(after); after == nil || after.UID != before.UID || has != had {
		return "", fmt.Errorf("the outlet's connector was restarted: it was pod %s with %d restarts", before.Name, had)
	}
	show.measure("%-12s CredentialsValid=True after %s, the waiting price shown after %s, nothing restarted", w.outlet.name, seconds(valid), seconds(took[w.outlet]))
	return fmt.Sprintf("reported within %s, repaired within %s by a new Secret alone", seconds(reported), seconds(max(valid, took[w.outlet]))), nil
}

// changeMeanwhile changes a price while the outlet cannot be written: the
// marketplace shows it, for the outlet it waits and is counted.
func (w *world) changeMeanwhile(ctx context.Context, show audience) (sku string, price int64, err error) {
	skus, err := w.skus(ctx, 0)
	if err != nil {
		return "", 0, err
	}
	sku = skus[0]
	if price, err = w.raisePrice(ctx, sku, 100); err != nil {
		return "", 0, err
	}
	changed := time.Now()
	show.progress("a price changes meanwhile")
	took, err := untilAll(ctx, changed, changeLimit, []*shop{w.marketplace}, sku, showing(sku, price))
	if err != nil {
		return "", 0, err
	}
	show.measure("%-12s goes on: a new price was there after %s", w.marketplace.name, seconds(took[w.marketplace]))
	err = until(ctx, settlement, "the CatalogSync counts what waits for the outlet", func(ctx context.Context) (bool, string, error) {
		sync, err := w.sync(ctx)
		if err != nil {
			return false, "", err
		}
		for _, channel := range sync.Status.Channels {
			if channel.Name == w.outlet.name {
				return channel.Pending == 1, fmt.Sprintf("%d pending for the outlet", channel.Pending), nil
			}
		}
		return false, "the outlet is not in the status", nil
	})
	if err != nil {
		return "", 0, err
	}
	show.measure("%-12s 1 pending in the status of the CatalogSync", w.outlet.name)
	return sku, price, nil
}
