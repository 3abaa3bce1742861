// Package driver is the contract between Selaras and a channel type: a web
// shop, a marketplace, a till. It holds plain values and small interfaces and
// depends on nothing else of Selaras, so that a third party can write a driver
// against it alone.
//
// A driver is a value of type Driver: it describes itself and opens
// connections. What a Connection can do is what it implements, in the manner
// of io.Reader: ListingReader, ListingGetter, ChangeReader, IntentWriter,
// ListingCreator, ListingRemover, OrderReader, WebhookReceiver. Capabilities
// lists them by name.
//
// A driver translates, and no more. Retries, rate limits, bisecting of
// rejected batches, read-back and the order of writes belong to the connector
// loop that calls it; every HTTP request of a driver goes through
// Settings.HTTP, which spends the channel's rate budget, bounds the answer,
// sets the timeout and counts the call under the operation of its context
// (WithOperation).
//
// What several channel types need alike stands beside the contract, as plain as
// it: package paging walks through lists that change meanwhile, package
// standardwebhooks verifies signed deliveries. No driver has to use them.
package driver
