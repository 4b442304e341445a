package org.xinyin.interop;

import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** A root, a seal maker and a signer with SM2 keys, and the root's revocation list, all made by BouncyCastle. */
final class Pki {
    private static final long DAY = 24L * 60 * 60 * 1000;

    final Member root;
    final Member maker;
    final Member signer;

    /** A certificate and its key. */
    record Member(X509Certificate certificate, PrivateKey key) {}

    Pki() throws Exception {
        KeyPair rootKeys = keys();
        root = new Member(certificate("CN=Foreign Root,C=CN", rootKeys, "CN=Foreign Root,C=CN", rootKeys, 1), rootKeys.getPrivate());
        KeyPair makerKeys = keys();
        maker = new Member(certificate("CN=Foreign Seal Maker,C=CN", makerKeys, "CN=Foreign Root,C=CN", rootKeys, 2), makerKeys.getPrivate());
        KeyPair signerKeys = keys();
        signer = new Member(certificate("CN=Foreign Signer,C=CN", signerKeys, "CN=Foreign Root,C=CN", rootKeys, 3), signerKeys.getPrivate());
    }

    /** Writes {@code root.der}, {@code signer.der} and {@code root.crl}. */
    void writeTo(Path folder) throws Exception {
        Files.write(folder.resolve("root.der"), root.certificate().getEncoded());
        Files.write(folder.resolve("signer.der"), signer.certificate().getEncoded());
        Date now = new Date();
        X509v2CRLBuilder list = new X509v2CRLBuilder(new X500Name("CN=Foreign Root,C=CN"), new Date(now.getTime() - DAY));
        list.setNextUpdate(new Date(now.getTime() + 30 * DAY));
        list.addExtension(
                Extension.authorityKeyIdentifier,
                false,
                new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(root.certificate().getPublicKey()));
        X509CRLHolder holder = list.build(signer(root.key()));
        Files.write(folder.resolve("root.crl"), holder.getEncoded());
    }

    private static KeyPair keys() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
        generator.initialize(new ECGenParameterSpec("sm2p256v1"), new SecureRandom());
        return generator.generateKeyPair();
    }

    private static ContentSigner signer(PrivateKey key) throws Exception {
        return new JcaContentSignerBuilder("SM3withSM2").setProvider("BC").build(key);
    }

    private static X509Certificate certificate(String subject, KeyPair keys, String issuer, KeyPair issuerKeys, int serial)
            throws Exception {
        Date now = new Date();
        boolean isRoot = subject.equals(issuer);
        JcaX509ExtensionUtils identifiers = new JcaX509ExtensionUtils();
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
                new X500Name(issuer),
                BigInteger.valueOf(serial),
                new Date(now.getTime() - 2 * DAY),
                new Date(now.getTime() + 365 * DAY),
                new X500Name(subject),
                keys.getPublic());
        int usage = isRoot ? KeyUsage.keyCertSign | KeyUsage.cRLSign : KeyUsage.digitalSignature | KeyUsage.nonRepudiation;
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(isRoot));
        builder.addExtension(Extension.keyUsage, true, new KeyUsage(usage));
        builder.addExtension(
                Extension.subjectKeyIdentifier, false, identifiers.createSubjectKeyIdentifier(keys.getPublic()));
        builder.addExtension(
                Extension.authorityKeyIdentifier, false, identifiers.createAuthorityKeyIdentifier(issuerKeys.getPublic()));
        return new JcaX509CertificateConverter()
                .setProvider("BC")
                .getCertificate(builder.build(signer(issuerKeys.getPrivate())));
    }
}
