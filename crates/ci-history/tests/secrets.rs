//! Secrets as they appear in the logs of CI jobs, and whether they are masked.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use ci_history::{LogText, Masker};

/// A secret of letters and digits, always the same.
fn random(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let digits = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % digits.len() as u64).unwrap()
    };
    (0..length).map(|_| char::from(digits[next()])).collect()
}

fn shown(log: &str) -> String {
    let log = format!(
        "/builds/acme/shop/src/cart.py:118\n{log}\nFAILED tests/test_cart.py::test_total - assert 12 == 13\n"
    );
    let excerpt = LogText::read(log.as_bytes(), true)
        .excerpt(7, &Masker::default(), None)
        .unwrap();
    let text = excerpt.text;
    for line in [
        "/builds/acme/shop/src/cart.py:118",
        "FAILED tests/test_cart.py::test_total - assert 12 == 13",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    text.to_string()
}

/// Asserts that `{}` in each line is masked, whether a random text or a short word stands there.
fn all_masked(lines: &[&str]) {
    let secrets = [random(20), random(13), "hunter2".to_owned()];
    let mut leaks = Vec::new();
    for (line, secret) in lines
        .iter()
        .flat_map(|line| secrets.iter().map(move |secret| (line, secret)))
    {
        let text = shown(&line.replace("{}", secret));
        if text.contains(&secret[secret.len() / 2..]) {
            leaks.push(text);
        }
    }
    assert!(
        leaks.is_empty(),
        "{} leak:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[test]
fn arguments_of_commands() {
    all_masked(&[
        "+ aws configure set aws_secret_access_key {}",
        "+ curl -sSfu admin:{} https://nexus.example/x",
        "+ curl --user admin:{} https://x",
        "+ curl -b \"session={}\" https://x",
        "+ curl -x http://proxy -U me:{} https://x",
        "+ http -a me:{} GET https://x",
        "+ kubectl create secret generic x --from-literal=pw={}",
        "+ kubectl create secret generic x --from-literal pw={}",
        "+ kubectl --token {} get pods",
        "+ redis-cli -h redis -a {} ping",
        "+ openssl rsa -passin pass:{} -in key.pem",
        "+ openssl enc -aes-256-cbc -k {} -in x",
        "+ jarsigner -keypass {} app.jar release",
        "+ keytool -storepass {} -list",
        "+ zip -P {} out.zip report",
        "+ 7z a -p{} out.7z report",
        "+ npm publish --otp={}",
        "+ docker login -u ci -p {} registry.example",
        "+ docker login -u ci -p{} registry.example",
        "+ docker login -u ci --password={} registry.example",
        "+ echo {} | docker login -u ci --password-stdin",
        "+ skopeo copy --dest-creds ci:{} a b",
        "+ helm registry login -u ci -p {} x",
        "+ mysql -uroot -p{} shop",
        "+ mysqldump --password={} shop",
        "+ mongosh -u a -p {} x",
        "+ sqlcmd -S db -U sa -P {} -Q x",
        "+ ldapsearch -x -D cn=admin -w {} -b dc=x",
        "+ sshpass -p {} ssh x",
        "+ sshpass -p{} ssh x",
        "+ smbclient //h/s -U user%{}",
        "+ vault login {}",
        "+ vault operator unseal {}",
        "+ VAULT_TOKEN={} vault read x",
        "+ twine upload -u __token__ -p {} dist/*",
        "+ poetry config pypi-token.pypi {}",
        "+ poetry config http-basic.acme user {}",
        "+ cargo login {}",
        "+ nuget push x.nupkg -ApiKey {}",
        "+ dotnet nuget push x.nupkg -k {}",
        "+ mvn deploy -Drepo.password={}",
        "+ gradle publish -PsigningPassword={}",
        "+ sonar-scanner -Dsonar.token={}",
        "+ gpg --batch --passphrase {} -d x",
        "+ git -c http.extraheader='AUTHORIZATION: basic {}' fetch",
        "+ wget --password={} --user=ci https://x",
        "+ ansible-playbook -e db_password={} site.yml",
        "+ terraform apply -var 'db_password={}'",
        "+ terraform apply -var db_token={}",
        "+ az login --service-principal -u x -p {} --tenant y",
        "+ az storage blob list --account-key {}",
        "+ htpasswd -nb user {}",
        "+ rabbitmqctl add_user ci {}",
        "+ mc alias set s3 https://x key {}",
        "+ snyk auth {}",
        "+ ngrok config add-authtoken {}",
        "+ security unlock-keychain -p {} x.keychain",
        "+ signtool sign /f x.pfx /p {} x.exe",
        "+ cmdkey /add:x /user:y /pass:{}",
        "+ net use \\\\h\\s {} /user:x",
        "+ setx DB_PASSWORD {}",
        "+ echo user:{} | chpasswd",
        "+ echo {} | sudo -S apt update",
        "+ ipmitool -H h -U u -P {} power on",
        "+ bw unlock {}",
        "+ consul kv get -token {} x",
        "+ sqlplus app/{}@db",
        "+ apksigner sign --ks-pass pass:{} x.apk",
        "+ pulumi config set --secret name {}",
        "+ oc login --token={} https://x",
        "+ argocd login x --username a --password {}",
        "+ codecov -t {}",
        "PS> ConvertTo-SecureString \"{}\" -AsPlainText -Force",
        "PS> New-Thing -Password {} -Name x",
        "+ some-tool --db-password {} --name x",
        "+ some-tool \\\n  --api-key \\\n  {} x",
    ]);
}

#[test]
fn telling_names() {
    all_masked(&[
        "DB_PW={}",
        "export DB_PASSWORD='{}'",
        "declare -x API_KEY=\"{}\"",
        "set DB_PASSWORD={}",
        "$env:DB_PASSWORD = \"{}\"",
        "ENV DB_PASSWORD {}",
        "{\"applicationKey\": \"{}\"}",
        "{\\\"clientSecret\\\":\\\"{}\\\"}",
        "- name: DB_PASSWORD\n  value: {}",
        "- name: DB_PASSWORD\n  value: \"{}\"",
        "{\"name\": \"DB_PASSWORD\", \"value\": \"{}\"}",
        "{\"key\":\"api_token\",\"protected\":false,\"value\":\"{}\"}",
        "{\n  \"ParameterKey\": \"DbPassword\",\n  \"ParameterValue\": \"{}\"\n}",
        "<add key=\"Password\" value=\"{}\" />",
        "<password>{}</password>",
        "| SecretAccessKey | {} |",
        "│ db_password │ {} │",
        "token                {}",
        "db_password\t{}",
        "BUNDLE_GEMS__CONTRIBSYS__COM=user:{}",
        "MNEMONIC=\"{} zoo\"",
        "jdbc:oracle:thin:app/{}@//db:1521/shop",
        "jdbc:postgresql://db/x?user=a&password={}&ssl=true",
        "Server=db;User Id=sa;Password={};Encrypt=true",
        "AccountName=x;AccountKey={}==;EndpointSuffix=y",
        "POST https://hooks.example.com/hook/{}",
        "POST https://hooks.slack.com/services/T0/B0/{}",
        "GET https://x.example/a?b=c&sig={}&d=e",
        "clone https://ci:{}@git.example/a.git",
        "clone https://{}@git.example/a.git",
        "redis://:{}@cache:6379/0",
        "Authorization: Token {}",
        "X-Vault-Token: {}",
        "Set-Cookie: _session={}; path=/",
        "> PRIVATE-TOKEN: {}",
        "//registry.npmjs.org/:_authToken={}",
        "machine git.example login ci password {}",
        "[pypi]\nusername = __token__\npassword = {}",
        "ALTER USER x WITH PASSWORD '{}';",
        "CREATE USER 'a'@'b' IDENTIFIED BY '{}';",
        "https://{}@o1.ingest.sentry.io/1",
        "admin:$apr1$abcdefgh${}ab",
        "pass\u{200b}word={}",
        "export PASSWORD=\\\n{}",
        "secret_key_base: {}",
        "encryption-key = {}",
        "spring.datasource.password={}",
        "private_key => \"{}\"",
    ]);
}

#[test]
fn sentences() {
    all_masked(&[
        "Password for user ci: {}",
        "Password for 'https://ci@git.example': {}",
        "Enter passphrase for key '/root/.ssh/id': {}",
        "The password is {}",
        "The admin password was set to {}",
        "Your token is {}",
        "your new API key is: {}",
        "New password: {}",
        "using token: {} for x",
        "logged in with admin:{}",
    ]);
}

#[test]
fn known_forms() {
    let hex = |length: usize| {
        "0123456789abcdef"
            .chars()
            .cycle()
            .skip(3)
            .step_by(5)
            .take(length)
            .collect::<String>()
    };
    let r = random;
    for token in [
        format!("3Xq8Q~{}", r(34)),
        format!("xapp-1-A{}-{}-{}", r(10), "1234567890123", hex(64)),
        format!("s.{}", r(24)),
        format!("whsec_{}", r(32)),
        format!("1234567890:AA{}", r(33)),
        format!("ATATT3xFfGF0{}", r(180)),
        format!("ops_eyJ{}", r(100)),
        format!("NRAK-{}", "A1B2C3D4E5F6G7H8J9K1L2M3N4P"),
        format!("glc_eyJ{}", r(80)),
        format!("key-{}", hex(32)),
        format!("EAAC{}", r(150)),
        format!("v1.0-{}-{}", hex(24), hex(146)),
        format!("doo_v1_{}", hex(64)),
        format!("nvapi-{}", r(64)),
        format!("glpat-{}", r(20)),
        format!("ghp_{}", r(36)),
        format!("github_pat_{}", r(60)),
        "AKIAQ3EGRJZK7T2MX4VB".to_owned(),
        format!("AIza{}", r(35)),
        format!("xoxb-123456789012-{}", r(24)),
        format!("sk_live_{}", r(24)),
        format!("SG.{}.{}", r(22), r(43)),
        format!("SK{}", hex(32)),
        format!("npm_{}", r(36)),
        format!("pypi-AgEIcHlwaS5vcmc{}", r(60)),
        format!("dckr_pat_{}", r(27)),
        format!("hf_{}", r(34)),
        format!("sk-ant-api03-{}", r(90)),
        format!("sk-proj-{}", r(60)),
        format!("hvs.{}", r(90)),
        format!("dop_v1_{}", hex(64)),
        format!("shpat_{}", hex(32)),
        format!("tskey-auth-{}-{}", r(17), r(32)),
        format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}", r(43)),
        format!("AGE-SECRET-KEY-1{}", r(58).to_uppercase()),
        format!("dp.pt.{}", r(43)),
        format!("PMAK-{}-{}", hex(24), hex(34)),
        format!("sntrys_{}", r(60)),
        format!("lin_api_{}", r(40)),
        format!("rubygems_{}", hex(48)),
        format!("ya29.{}", r(60)),
        format!("GOCSPX-{}", r(28)),
        format!("hooks {}", r(40)),
    ] {
        let secret = token.rsplit(' ').next().unwrap();
        let text = shown(&format!("the value {token} failed"));
        assert!(!text.contains(&secret[secret.len() / 2..]), "{text}");
    }
}

#[test]
fn disguises() {
    use std::fmt::Write as _;

    let key: Vec<String> = (50..60).map(|n| random(n + 10)).collect();
    let key = key.join("\n");
    let text = shown(&key);
    assert!(key.lines().all(|line| !text.contains(line)), "{text}");

    let token = format!("glpat-{}", random(20));
    for at in [3, 8, 14, 20] {
        let (head, tail) = token.split_at(at);
        for between in ["\n", "\n  ", "\\\n"] {
            let text = shown(&format!("token {head}{between}{tail}"));
            assert!(!text.contains(tail), "{at}: {text}");
        }
    }
    // `https://oauth2:glpat-aB3dEfGhIjKlMnOpQrSt@gitlab.example` and `user:hunter2` in base64.
    for text in [
        "config aHR0cHM6Ly9vYXV0aDI6Z2xwYXQtYUIzZEVmR2hJaktsTW5PcFFyU3RAZ2l0bGFiLmV4YW1wbGU=",
        "auths dXNlcjpodW50ZXIyMg==",
    ] {
        let masked = shown(text);
        assert!(!masked.contains(&text[10..]), "{masked}");
    }
    let percent = shown("GET /x?next=https%3A%2F%2Fci%3Ahunter2%40git.example%2F");
    assert!(!percent.contains("hunter2"), "{percent}");
    let mut hex = String::new();
    for byte in token.bytes() {
        write!(hex, "{byte:02x}").unwrap();
    }
    assert!(!shown(&format!("dump {hex}")).contains(&hex));
}

#[test]
fn own_secrets_are_masked_wherever_they_appear() {
    let masker = Masker::new(["hunter2 is/mine", "abc"]);
    for (text, wanted) in [
        ("a hunter2 is/mine b", "a [masked] b"),
        ("x hunter2%20is%2Fmine x", "x [masked] x"),
        ("abc stays", "abc stays"),
    ] {
        assert_eq!(masker.masked(text), wanted);
    }
    // The base64 of ` x:hunter2 is/mine` with none to two characters before.
    for text in [
        "aHVudGVyMiBpcy9taW5l",
        "IGh1bnRlcjIgaXMvbWluZQ==",
        "ICBodW50ZXIyIGlzL21pbmU=",
    ] {
        assert!(masker.masked(text).contains("[masked]"), "{text}");
    }
}
