package hub

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// Files of a key directory. The seeds are secrets of the operator; the hub
// itself needs the two public JWTs only.
const (
	operatorSeedFile = "operator.seed"
	systemSeedFile   = "system.seed"
	accountsSeedFile = "accounts.seed"
	operatorJWTFile  = "operator.jwt"
	systemJWTFile    = "system.jwt"
)

// Keys are the root of trust of a hub: who may create accounts. Account keys of
// namespaces are derived, so that an operator without storage finds them again.
type Keys struct {
	operator nkeys.KeyPair
	system   nkeys.KeyPair
	accounts []byte
	trust    Trust
}

// Trust is the public half of Keys: what a hub needs to know to verify
// credentials. It holds no secret.
type Trust struct {
	// OperatorJWT and SystemJWT are the encoded claims.
	OperatorJWT, SystemJWT string
}

// Trust returns the public half.
func (k *Keys) Trust() Trust { return k.trust }

// GenerateKeys creates keys in a directory, files mode 0600, directory 0700. It
// fails when the directory holds keys already: they would be lost.
func GenerateKeys(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the key directory: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, operatorSeedFile)); err == nil {
		return nil, fmt.Errorf("generate keys in %s: it holds keys already: %w", dir, fs.ErrExist)
	}
	files, err := NewKeyFiles()
	if err != nil {
		return nil, err
	}
	// The operator's seed comes last: it marks the directory as complete.
	for _, name := range []string{accountsSeedFile, systemSeedFile, systemJWTFile, operatorJWTFile, operatorSeedFile} {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o600); err != nil {
			return nil, fmt.Errorf("write keys: %w", err)
		}
	}
	return LoadKeys(dir)
}

// NewKeyFiles makes new keys and returns the files of their directory, by
// name, for those who keep them elsewhere, such as in a Secret. All but
// operator.jwt and system.jwt are secret.
func NewKeyFiles() (map[string][]byte, error) {
	operator, err := nkeys.CreateOperator()
	if err != nil {
		return nil, fmt.Errorf("generate the operator key: %w", err)
	}
	system, err := nkeys.CreateAccount()
	if err != nil {
		return nil, fmt.Errorf("generate the system account key: %w", err)
	}
	accounts := make([]byte, 32)
	if _, err := rand.Read(accounts); err != nil {
		return nil, fmt.Errorf("generate the accounts' key: %w", err)
	}
	trust, err := newTrust(operator, system)
	if err != nil {
		return nil, err
	}
	operatorSeed, err := operator.Seed()
	if err != nil {
		return nil, fmt.Errorf("read the operator key: %w", err)
	}
	systemSeed, err := system.Seed()
	if err != nil {
		return nil, fmt.Errorf("read the system account key: %w", err)
	}
	return map[string][]byte{
		accountsSeedFile: fmt.Appendf(nil, "%x\n", accounts),
		systemSeedFile:   append(systemSeed, '\n'),
		systemJWTFile:    []byte(trust.SystemJWT + "\n"),
		operatorJWTFile:  []byte(trust.OperatorJWT + "\n"),
		operatorSeedFile: append(operatorSeed, '\n'),
	}, nil
}

// LoadKeys reads what GenerateKeys wrote. A directory without keys is
// fs.ErrNotExist.
func LoadKeys(dir string) (*Keys, error) {
	operatorSeed, err := readLine(dir, operatorSeedFile)
	if err != nil {
		return nil, err
	}
	systemSeed, err := readLine(dir, systemSeedFile)
	if err != nil {
		return nil, err
	}
	accountsHex, err := readLine(dir, accountsSeedFile)
	if err != nil {
		return nil, err
	}
	trust, err := LoadTrust(dir)
	if err != nil {
		return nil, err
	}
	k := &Keys{trust: trust, accounts: make([]byte, 0, 32)}
	if k.operator, err = nkeys.FromSeed([]byte(operatorSeed)); err != nil {
		return nil, fmt.Errorf("read %s in %s: %w", operatorSeedFile, dir, err)
	}
	if k.system, err = nkeys.FromSeed([]byte(systemSeed)); err != nil {
		return nil, fmt.Errorf("read %s in %s: %w", systemSeedFile, dir, err)
	}
	if n, err := fmt.Sscanf(accountsHex, "%x", &k.accounts); n != 1 || err != nil || len(k.accounts) != 32 {
		return nil, fmt.Errorf("read %s in %s: it does not hold 32 bytes in hex", accountsSeedFile, dir)
	}
	return k, nil
}

// LoadOrGenerateKeys loads the keys of a directory, or creates them there.
func LoadOrGenerateKeys(dir string) (*Keys, error) {
	k, err := LoadKeys(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return GenerateKeys(dir)
	}
	return k, err
}

// LoadTrust reads the public half of a key directory: operator.jwt and
// system.jwt.
func LoadTrust(dir string) (Trust, error) {
	operator, err := readLine(dir, operatorJWTFile)
	if err != nil {
		return Trust{}, err
	}
	system, err := readLine(dir, systemJWTFile)
	if err != nil {
		return Trust{}, err
	}
	return Trust{OperatorJWT: operator, SystemJWT: system}, nil
}

func readLine(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("read hub keys: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func newTrust(operator, system nkeys.KeyPair) (Trust, error) {
	operatorID, err := operator.PublicKey()
	if err != nil {
		return Trust{}, fmt.Errorf("operator key: %w", err)
	}
	systemID, err := system.PublicKey()
	if err != nil {
		return Trust{}, fmt.Errorf("system account key: %w", err)
	}
	oc := jwt.NewOperatorClaims(operatorID)
	oc.Name = "selaras"
	oc.SystemAccount = systemID
	var t Trust
	if t.OperatorJWT, err = oc.Encode(operator); err != nil {
		return Trust{}, fmt.Errorf("sign the operator: %w", err)
	}
	sc := jwt.NewAccountClaims(systemID)
	sc.Name = "SYS"
	if t.SystemJWT, err = sc.Encode(operator); err != nil {
		return Trust{}, fmt.Errorf("sign the system account: %w", err)
	}
	return t, nil
}

// account derives the key of a namespace's account.
func (k *Keys) account(namespace string) (nkeys.KeyPair, error) {
	if err := validName(namespace); err != nil {
		return nil, fmt.Errorf("namespace of the hub: %w", err)
	}
	raw, err := hkdf.Key(sha256.New, k.accounts, nil, "selaras account "+namespace, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the account key of %s: %w", namespace, err)
	}
	seed, err := nkeys.EncodeSeed(nkeys.PrefixByteAccount, raw)
	if err != nil {
		return nil, fmt.Errorf("derive the account key of %s: %w", namespace, err)
	}
	return nkeys.FromSeed(seed)
}
