//! Tools whose command lines take secrets, and how.

/// A tool, and where its secrets stand on its command line.
pub(super) struct Tool {
    /// File names; `*` at the end stands for any rest.
    pub(super) names: &'static [&'static str],
    /// Letters of short options whose value is a secret: `-p x`, `-px`, and at the end of a group, `-sSp x`.
    pub(super) letters: &'static str,
    /// Letters whose value has to be attached: `-px`. Separated, `-p` asks for it.
    pub(super) attached: &'static str,
    /// Other options, with their dashes: `-passin x`, `--creds x`, `-passin=x`, `/p:x`.
    pub(super) options: &'static [&'static str],
    /// Words behind which the next words are secrets, for example `unlock`, and the number of words to skip.
    pub(super) behind: &'static [(&'static str, usize)],
}

const fn letters(names: &'static [&'static str], letters: &'static str) -> Tool {
    Tool {
        names,
        letters,
        attached: "",
        options: &[],
        behind: &[],
    }
}

const fn options(names: &'static [&'static str], options: &'static [&'static str]) -> Tool {
    Tool {
        names,
        letters: "",
        attached: "",
        options,
        behind: &[],
    }
}

const fn behind(names: &'static [&'static str], behind: &'static [(&'static str, usize)]) -> Tool {
    Tool {
        names,
        letters: "",
        attached: "",
        options: &[],
        behind,
    }
}

/// The tools.
pub(super) const TOOLS: &[Tool] = &[
    // HTTP.
    Tool {
        options: &[
            "--user",
            "--proxy-user",
            "--cookie",
            "--oauth2-bearer",
            "--pass",
            "--proxy-pass",
            "--cert",
            "--key-passwd",
            "--aws-sigv4",
            "--tlspassword",
        ],
        ..letters(&["curl", "curlie"], "uUbE")
    },
    options(
        &["wget", "wget2", "aria2c"],
        &[
            "--http-passwd",
            "--header",
            "--use-askpass",
            "--ftp-passwd",
            "--rpc-secret",
            "--http-user",
        ],
    ),
    letters(
        &["http", "https", "xh", "xhs", "hey", "bombardier", "vegeta"],
        "a",
    ),
    letters(&["ab"], "APC"),
    // Images and packages.
    Tool {
        options: &[
            "--creds",
            "--src-creds",
            "--dest-creds",
            "--registry-token",
            "--src-registry-token",
            "--dest-registry-token",
        ],
        ..letters(
            &[
                "docker", "podman", "buildah", "skopeo", "nerdctl", "crane", "oras", "regctl",
                "helm", "img", "ctr", "ko",
            ],
            "",
        )
    },
    Tool {
        options: &["--user", "-u"],
        ..behind(&["ctr"], &[])
    },
    letters(&["twine", "poetry", "mosquitto_pub", "mosquitto_sub"], "pP"),
    behind(&["poetry"], &[("http-basic.*", 1), ("pypi-token.*", 0)]),
    behind(
        &["composer"],
        &[
            ("http-basic.*", 1),
            ("github-oauth.*", 0),
            ("gitlab-token.*", 0),
            ("gitlab-oauth.*", 0),
            ("bearer.*", 0),
        ],
    ),
    letters(&["conan", "beeline", "impala-shell"], "p"),
    behind(&["ansible-vault"], &[("encrypt_string", 0)]),
    behind(&["cargo", "npm", "yarn", "pnpm", "hex"], &[("login", 0)]),
    options(
        &["nuget", "nuget.exe", "dotnet", "choco"],
        &[
            "-ApiKey",
            "-k",
            "-Password",
            "--api-key",
            "-p",
            "--store-password",
        ],
    ),
    options(&["gem"], &["--otp", "-k"]),
    // Databases.
    behind(&["mysqladmin", "mariadb-admin"], &[("password", 0)]),
    Tool {
        attached: "p",
        ..options(
            &[
                "mysql*",
                "mariadb*",
                "mycli",
                "mytop",
                "xtrabackup",
                "mydumper",
            ],
            &["--password", "-p="],
        )
    },
    letters(
        &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoimport",
            "mongoexport",
            "influx",
            "cqlsh",
            "arangosh",
            "cypher-shell",
            "couchbase-cli",
            "neo4j-admin",
        ],
        "p",
    ),
    Tool {
        options: &["--pass", "-u"],
        ..letters(
            &["redis-cli", "redis-benchmark", "valkey-cli", "keydb-cli"],
            "a",
        )
    },
    letters(&["sqlcmd", "bcp", "osql", "isql", "tsql"], "P"),
    behind(&["db2"], &[("using", 0)]),
    letters(&["etcdctl"], "u"),
    Tool {
        options: &["--user"],
        ..behind(&["etcdctl"], &[])
    },
    behind(&["sqlplus", "rman", "expdp", "impdp", "sqlldr"], &[("", 0)]),
    behind(
        &["rabbitmqctl"],
        &[
            ("add_user", 1),
            ("change_password", 1),
            ("authenticate_user", 1),
        ],
    ),
    letters(&["rabbitmqadmin"], "p"),
    // Directories, shells and files of other machines.
    letters(&["ldap*"], "w"),
    letters(&["ldappasswd"], "as"),
    letters(
        &[
            "sshpass",
            "plink",
            "pscp",
            "psftp",
            "xfreerdp",
            "winrm",
            "evil-winrm",
            "psexec*",
            "ncftp*",
            "smbmap",
            "steghide",
        ],
        "p",
    ),
    options(
        &["plink", "pscp", "plink.exe", "pscp.exe", "putty"],
        &["-pw", "-pwfile"],
    ),
    Tool {
        options: &["--user"],
        ..letters(&["smbclient", "rpcclient", "lftp"], "Uu")
    },
    letters(&["ssh-keygen"], "NP"),
    letters(&["ipmitool"], "P"),
    letters(&["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk"], "cAX"),
    // Archives and documents.
    letters(&["zip", "unzip", "zipcloak"], "P"),
    Tool {
        attached: "p",
        ..options(&["7z", "7za", "7zr", "7zz", "rar", "unrar"], &["-hp*"])
    },
    behind(
        &["pdftk"],
        &[("user_pw", 0), ("owner_pw", 0), ("input_pw", 0)],
    ),
    options(&["qpdf"], &["--user-password", "--owner-password"]),
    // Keys and certificates.
    options(
        &["openssl"],
        &[
            "-passin",
            "-passout",
            "-pass",
            "-k",
            "-K",
            "-password",
            "-passwd",
            "-hmac",
            "-macopt",
            "-srppass",
            "-psk",
        ],
    ),
    options(
        &["keytool", "jarsigner", "keytool.exe", "jarsigner.exe"],
        &[
            "-storepass",
            "-keypass",
            "-srcstorepass",
            "-deststorepass",
            "-srckeypass",
            "-destkeypass",
            "-new",
        ],
    ),
    options(&["apksigner"], &["--ks-pass", "--key-pass"]),
    options(
        &["signtool", "signtool.exe", "osslsigncode"],
        &["/p", "-p", "-pass"],
    ),
    options(&["gpg", "gpg2", "gpgsm"], &["--passphrase"]),
    behind(&["mkpasswd", "htdigest"], &[("", 0)]),
    behind(&["htpasswd"], &[("", 1)]),
    Tool {
        options: &["--auth-pass"],
        ..letters(&["certutil", "pk12util"], "KW")
    },
    letters(&["security"], "pPwk"),
    options(
        &["xcrun", "altool", "notarytool"],
        &["-p", "--password", "--apiKey"],
    ),
    // Clouds and clusters.
    Tool {
        options: &["--from-literal", "--docker-password", "--token"],
        ..behind(&["kubectl", "oc", "kubeadm", "k3s"], &[])
    },
    Tool {
        options: &["-p"],
        ..behind(&["az", "oc", "rancher", "cf"], &[])
    },
    options(
        &["az"],
        &[
            "--account-key",
            "--sas-token",
            "--connection-string",
            "--admin-password",
            "--client-secret",
        ],
    ),
    behind(
        &["aws"],
        &[
            ("aws_secret_access_key", 0),
            ("aws_session_token", 0),
            ("aws_access_key_id", 0),
        ],
    ),
    behind(
        &["s3cmd", "mc", "mcli"],
        &[("set", 2), ("set", 3), ("add", 3), ("add", 4)],
    ),
    behind(
        &["tailscale", "ngrok", "netbird", "zerotier-cli"],
        &[("authtoken", 0), ("add-authtoken", 0)],
    ),
    letters(
        &[
            "vercel",
            "now",
            "flyctl",
            "fly",
            "doctl",
            "codecov",
            "codecovcli",
            "glab",
            "railway",
            "influx",
            "sf",
            "logcli",
        ],
        "t",
    ),
    behind(&["snyk"], &[("auth", 0)]),
    behind(&["pulumi"], &[("--secret", 1)]),
    behind(&["rclone"], &[("obscure", 0), ("reveal", 0)]),
    // Managers of secrets.
    behind(
        &["vault", "bao"],
        &[
            ("login", 0),
            ("lookup", 0),
            ("unwrap", 0),
            ("unseal", 0),
            ("revoke", 0),
            ("renew", 0),
        ],
    ),
    behind(&["bw"], &[("unlock", 0), ("login", 1)]),
    options(
        &["consul", "nomad", "consul-template"],
        &["-token", "-gossip-key", "-encrypt", "-http-auth", "-secret"],
    ),
    behind(&["doppler", "op", "infisical"], &[("token", 0)]),
    // Windows.
    options(
        &[
            "cmdkey",
            "cmdkey.exe",
            "wmic",
            "winrs",
            "schtasks",
            "sc",
            "sc.exe",
            "net",
            "psexec",
            "mstsc",
            "runas",
            "msdeploy",
            "setspn",
            "netdom",
        ],
        &["/pass", "/password", "-p", "/p", "/rp", "/pd", "/userd"],
    ),
    behind(
        &["net", "net.exe"],
        &[("user", 1), ("\\\\*", 0), ("/user:*", 0)],
    ),
    behind(&["ConvertTo-SecureString"], &[("", 0)]),
    behind(&["chpasswd", "passwd", "radtest"], &[("", 1)]),
];
