package shops

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// webhookFile is what webhook.js reads for every event.
func webhookFile(dir string) string { return filepath.Join(dir, "webhook.json") }

// writeWebhook tells a running or stopped shop where its events go.
func writeWebhook(dir, url, secret string) error {
	content, err := json.Marshal(map[string]string{"url": url, "secret": secret})
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	return writeWhole(webhookFile(dir), content)
}
