package org.xinyin.interop;

import java.io.ByteArrayInputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.gm.GMNamedCurves;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.engines.SM4Engine;
import org.bouncycastle.crypto.modes.CBCBlockCipher;
import org.bouncycastle.crypto.paddings.PKCS7Padding;
import org.bouncycastle.crypto.paddings.PaddedBufferedBlockCipher;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.params.ParametersWithIV;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.jcajce.provider.digest.SM3;
import org.dom4j.Element;
import org.dom4j.io.SAXReader;
import org.ofdrw.core.crypto.ProtectionCaseID;
import org.ofdrw.core.crypto.encryt.CT_EncryptInfo;
import org.ofdrw.core.crypto.encryt.DecyptSeed;
import org.ofdrw.core.crypto.encryt.EncryptEntries;
import org.ofdrw.core.crypto.encryt.EncryptEntry;
import org.ofdrw.core.crypto.encryt.Encryptions;
import org.ofdrw.core.crypto.encryt.ExtendParams;
import org.ofdrw.core.crypto.encryt.Provider;
import org.ofdrw.core.crypto.encryt.UserInfo;
import org.ofdrw.gm.sm2strut.SM2Cipher;
import org.ofdrw.gm.support.KDF;

/**
 * Opens and makes documents encrypted by GM/T 0099 with ofdrw's classes for the XML, its key derivation and SM2Cipher,
 * and BouncyCastle's SM2 and SM4. Arguments: {@code open|lock}, the file, {@code password|key|point}, the secret
 * (hexadecimal for a key or point), the file to write.
 */
public final class OfdVault {
    private static final int BLOCK = 16;

    private OfdVault() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, byte[]> files = read(Paths.get(arguments[1]));
        boolean opens = arguments[0].equals("open");
        Map<String, byte[]> done =
                opens ? open(files, arguments[2], arguments[3]) : lock(files, arguments[2], arguments[3]);
        write(done, Paths.get(arguments[4]));
        System.out.println("{\"files\": " + done.size() + "}");
    }

    private static Map<String, byte[]> open(Map<String, byte[]> files, String kind, String secret) throws Exception {
        CT_EncryptInfo info = new Encryptions(root(files.get("Encryptions.xml"))).getEncryptInfos().get(0);
        UserInfo user = new DecyptSeed(root(files.get(name(info.getDecryptSeedLoc().toString())))).getUserInfos().get(0);
        byte[] iv = user.getIVValue();
        byte[] key = kind.equals("password")
                ? cbc(false, user.getEncryptedWK(), derived(secret), iv)
                : unwrapped(user.getEncryptedWK(), new BigInteger(secret, 16));
        byte[] map = cbc(false, files.get(name(info.getEntriesMapLoc().toString())), key, iv);
        Map<String, byte[]> opened = new TreeMap<>();
        for (EncryptEntry entry : new EncryptEntries(root(map)).getEncryptEntries()) {
            byte[] content = cbc(false, files.get(name(entry.getEPath().toString())), key, iv);
            opened.put(name(entry.getPathA().toString()), content);
        }
        return opened;
    }

    private static Map<String, byte[]> lock(Map<String, byte[]> files, String kind, String secret) throws Exception {
        SecureRandom random = new SecureRandom();
        byte[] key = random.generateSeed(BLOCK);
        byte[] iv = random.generateSeed(BLOCK);
        Map<String, byte[]> locked = new TreeMap<>();
        EncryptEntries entries = new EncryptEntries().setID("1");
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            String target = file.getKey().toLowerCase() + ".dat";
            locked.put(target, cbc(true, file.getValue(), key, iv));
            entries.addEncryptEntry("/" + file.getKey(), "/" + target);
        }
        boolean byPassword = kind.equals("password");
        UserInfo user = new UserInfo().setUserName("ofdrw").setIVValue(iv);
        user.setEncryptedWK(byPassword ? cbc(true, key, derived(secret), iv) : wrapped(key, secret));
        DecyptSeed seed = new DecyptSeed().setID("1").setExtendParams(new ExtendParams());
        seed.setEncryptCaseId(byPassword ? ProtectionCaseID.EncryptGMPassword : ProtectionCaseID.EncryptGMCert);
        seed.addUserInfo(user);
        CT_EncryptInfo info = new CT_EncryptInfo().setID("1");
        Provider provider = new Provider();
        provider.setProviderName("ofdrw");
        info.setProvider(provider).setEncryptScope("All");
        info.setDecryptSeedLoc("/decryptseed.dat").setEntriesMapLoc("/entriesmap.dat");
        locked.put("Encryptions.xml", octets(new Encryptions().addEncryptInfo(info)));
        locked.put("decryptseed.dat", octets(seed));
        locked.put("entriesmap.dat", cbc(true, octets(entries), key, iv));
        return locked;
    }

    private static byte[] derived(String password) {
        return KDF.extend(new SM3.Digest(), password.getBytes(StandardCharsets.UTF_8), BLOCK);
    }

    private static byte[] unwrapped(byte[] der, BigInteger secret) throws Exception {
        byte[] ciphertext = SM2Cipher.getInstance(ASN1Primitive.fromByteArray(der)).convertC1C3C2();
        SM2Engine engine = new SM2Engine(SM2Engine.Mode.C1C3C2);
        engine.init(false, new ECPrivateKeyParameters(secret, curve()));
        return engine.processBlock(ciphertext, 0, ciphertext.length);
    }

    private static byte[] wrapped(byte[] key, String point) throws Exception {
        ECDomainParameters curve = curve();
        byte[] octets = new BigInteger(point, 16).toByteArray();
        SM2Engine engine = new SM2Engine(SM2Engine.Mode.C1C3C2);
        ECPublicKeyParameters to = new ECPublicKeyParameters(curve.getCurve().decodePoint(octets), curve);
        engine.init(true, new ParametersWithRandom(to));
        return SM2Cipher.fromC1C3C2(engine.processBlock(key, 0, key.length)).getEncoded();
    }

    private static ECDomainParameters curve() {
        X9ECParameters named = GMNamedCurves.getByName("sm2p256v1");
        return new ECDomainParameters(named.getCurve(), named.getG(), named.getN(), named.getH());
    }

    private static byte[] cbc(boolean encrypts, byte[] data, byte[] key, byte[] iv) throws Exception {
        PaddedBufferedBlockCipher cipher =
                new PaddedBufferedBlockCipher(new CBCBlockCipher(new SM4Engine()), new PKCS7Padding());
        cipher.init(encrypts, new ParametersWithIV(new KeyParameter(key), iv));
        byte[] out = new byte[cipher.getOutputSize(data.length)];
        int length = cipher.processBytes(data, 0, data.length, out, 0);
        length += cipher.doFinal(out, length);
        return Arrays.copyOf(out, length);
    }

    private static Element root(byte[] xml) throws Exception {
        return new SAXReader().read(new ByteArrayInputStream(xml)).getRootElement();
    }

    private static byte[] octets(Element element) {
        return element.asXML().getBytes(StandardCharsets.UTF_8);
    }

    private static String name(String location) {
        return location.startsWith("/") ? location.substring(1) : location;
    }

    private static Map<String, byte[]> read(Path path) throws Exception {
        Map<String, byte[]> files = new TreeMap<>();
        try (ZipFile zip = new ZipFile(path.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                files.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
            }
        }
        return files;
    }

    private static void write(Map<String, byte[]> files, Path path) throws Exception {
        try (OutputStream out = Files.newOutputStream(path);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                zip.putNextEntry(new ZipEntry(file.getKey()));
                zip.write(file.getValue());
            }
        }
    }
}
