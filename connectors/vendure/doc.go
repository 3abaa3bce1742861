// Package vendure is the driver for Vendure 3 (https://vendure.io), an open
// source shop server, through its Admin GraphQL API.
//
// What was measured against version 3.7.1 and shaped this driver:
//
//   - Almost every answer is HTTP 200; errors are told apart by
//     errors[].extensions.code. Deadlocks and a database that is down carry no
//     code at all: they are transient.
//   - updateProductVariants applies all of its input or nothing, and does not
//     say which item was to blame. Two batches that share rows can deadlock:
//     ids are sorted and the caller never lets batches overlap.
//   - A sale moves stockAllocated only, not ProductVariant.updatedAt. A
//     fulfilment moves not even Order.updatedAt: orders are swept, not only
//     asked for by time (see orders.go).
//   - Amounts are integers with one number of decimals for every currency, the
//     precision of the shop's MoneyStrategy: 500 JPY are stored as 50000.
//   - An API key costs a bcrypt comparison on each request; a session token is
//     six times faster, so the driver logs in.
package vendure
